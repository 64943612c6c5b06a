"""What the servers say of themselves when a node went down, as the decision needs it. Pure."""

from collections.abc import Collection, Mapping

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import field, record
from pgpool_recovery.domain.standby import STREAMING
from pgpool_recovery.domain.wal import Lsn, TimelineId


@record
class Standing:
    """What a server says of itself: which timeline it has come to and how far, of which cluster.

    Of a standby `position` is what it has received, which it replays before it is promoted, and
    `replayed` how far that is.
    `settings` are those by which it is judged, as pg_settings has them; `required` is what of them
    a standby has to reach, None when that could not be read. `receiver`, `sender` and `slot_name`
    are those of its WAL receiver, and `heard_at` when it heard from there last, by its own clock.
    """

    is_primary: bool
    timeline: TimelineId
    position: Lsn
    system_identifier: str
    is_paused: bool = False
    may_promote: bool = True
    receiver: str | None = None
    sender: str | None = None
    slot_name: str | None = None
    heard_at: float | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    required: Mapping[str, int] | None = None
    replayed: Lsn | None = None

    @property
    def point(self) -> tuple[TimelineId, Lsn]:
        """How far it has come: the newer timeline is what the last primary wrote."""
        return self.timeline, self.position

    @property
    def is_streaming(self) -> bool:
        """Whether WAL comes in."""
        return self.receiver == STREAMING

    def number(self, name: str) -> int | None:
        """Return a setting that is a number; None when the server does not know it."""
        value = self.settings.get(name)
        return None if value is None else int(value)


@record
class Scene:
    """The servers by node id: what each says, or why it says nothing.

    `attached` are the nodes that Pgpool-II uses. `unknown` is why the others could not be looked
    at, when it did not say which there are.
    """

    standings: Mapping[NodeId, Standing]
    silent: Mapping[NodeId, str]
    attached: frozenset[NodeId]
    unknown: str | None = None

    def primaries(self) -> list[NodeId]:
        """Return the nodes that accept writes."""
        return sorted(node for node, one in self.standings.items() if one.is_primary)


def hears_primary(standing: Standing, others: Collection[str]) -> bool:
    """Say whether a standby streams from the primary: from no other node that is known.

    Its address is no proof of that: pgpool.conf may have a name where primary_conninfo has an IP
    address. `others` are the addresses of the other nodes; a standby that streams from one of them
    under another spelling hears nothing for long when the primary is gone.
    """
    return standing.is_streaming and standing.heard_at is not None and standing.sender not in others


def lives_for(others: Collection[str], before: Scene, after: Scene) -> list[NodeId]:
    """Return the standbys that have heard from the primary between two looks: so it lives."""
    return sorted(
        node
        for node, now in after.standings.items()
        if hears_primary(now, others)
        and now.heard_at is not None
        and (then := before.standings.get(node)) is not None
        and then.sender == now.sender
        and then.heard_at is not None
        and now.heard_at > then.heard_at
    )
