"""Hold what the servers report about themselves after a node went down. Pure."""

from collections.abc import Collection, Mapping

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import field, record
from pgpool_recovery.domain.standby import STREAMING
from pgpool_recovery.domain.wal import Lsn, TimelineId


@record
class Standing:
    """What a server reports about itself: its timeline, how far it has come, and its cluster.

    For a standby, `position` is the end of the WAL that it has received, all of which it replays
    before it is promoted, and `replayed` is how far it has replayed.
    `settings` are those that decide on its fitness, as in pg_settings. `required` is the minimum of
    some of them on a standby; None when it could not be read. `receiver` is the status of the WAL
    receiver, `sender` the address that it streams from, and `slot_name` its slot. `heard_at` is
    when it last heard from the sender, in seconds by the server's own clock.
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
        """How far it has come: the newer timeline is the one that the last primary wrote."""
        return self.timeline, self.position

    @property
    def is_streaming(self) -> bool:
        """Whether it receives WAL by streaming."""
        return self.receiver == STREAMING

    def number(self, name: str) -> int | None:
        """Return a numeric setting; None when the server does not have it."""
        value = self.settings.get(name)
        return None if value is None else int(value)


@record
class Scene:
    """The servers by node id: what each reports, or why it is silent.

    `attached` are the nodes that Pgpool-II uses. `unknown` is why the other nodes could not be
    examined, when Pgpool-II did not report which there are.
    """

    standings: Mapping[NodeId, Standing]
    silent: Mapping[NodeId, str]
    attached: frozenset[NodeId]
    unknown: str | None = None

    def primaries(self) -> list[NodeId]:
        """Return the nodes that accept writes."""
        return sorted(node for node, one in self.standings.items() if one.is_primary)


def hears_primary(standing: Standing, others: Collection[str]) -> bool:
    """Return whether a standby streams from the primary, that is, from no other known node.

    The primary's address is not compared: pgpool.conf may have a name where primary_conninfo has an
    IP address. `others` are the addresses of the other nodes. A standby that streams from one of
    them under another spelling soon hears nothing more when the primary is gone.
    """
    return standing.is_streaming and standing.heard_at is not None and standing.sender not in others


def lives_for(others: Collection[str], before: Scene, after: Scene) -> list[NodeId]:
    """Return the standbys that heard from the primary between two observations: it is alive."""
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
