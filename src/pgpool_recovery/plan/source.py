"""From which server a copy is read: the primary, or a standby that nothing waits for."""

from collections.abc import Iterator, Sequence

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.synchronous import parse_standby_names
from pgpool_recovery.domain.text import with_detail
from pgpool_recovery.facts.facts import Conninfo, PrimaryFacts
from pgpool_recovery.facts.policy import FROM_PRIMARY
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.source import Source
from pgpool_recovery.facts.step.transfer import SourceNode
from pgpool_recovery.plan.situation import Situation

MAX_LAG_BYTES = 512 * 2**20
"""A standby that lags further has enough to do. Before its backup begins, it must replay all that
the primary has written."""
SAME_LAG_BYTES = 16 * 2**20
"""Lags that differ by less are equal: they change from one moment to the next."""
NEEDED_WAL_SENDERS = 2
FROM_PRIMARY_NOTE = "the copy is read from the primary"


@record
class Reading:
    """The decision: `source` None means the primary. `notes` say what it costs, and why not others.

    With `rejections`, the settings name a node that cannot be used, so there is no copy.
    """

    source: Source | None = None
    notes: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()

    @property
    def node_id(self) -> NodeId | None:
        """The node that is read; None for the primary."""
        return None if self.source is None else self.source.node_id

    @property
    def node(self) -> SourceNode | None:
        """The node that is read, as a step names it; None for the primary."""
        source = self.source
        if source is None:
            return None
        return SourceNode(
            source.node_id,
            source.slot_name,
            source.application_name,
            source.host,
            source.data_directory,
        )

    @property
    def server(self) -> str:
        """The server that is read, as messages name it."""
        return "the primary" if self.source is None else self.source.name

    @property
    def whence(self) -> str:
        """The end of a plan's summary; empty for the primary."""
        return "" if self.source is None else f", read from {self.source.name}"

    def conninfo(self, situation: Situation) -> Conninfo:
        """Return the replication connection that leads to the server that is read."""
        source = self.source
        if source is None:
            return situation.conninfo
        if source.conninfo is None:
            raise ValueError("no login leads to the source")
        return source.conninfo


PRIMARY = Reading()


def choose_source(situation: Situation) -> Reading:
    """Return from which server a copy is read, by the policy and by what is known about each.

    If the policy names a node, the copy is refused when that one cannot be used: whoever names one
    wants to spare the primary. For the copy of that node itself there is only the primary, and a
    node that is the primary now needs no detour.
    """
    policy, sources = situation.policy, situation.facts.sources
    if policy.source == FROM_PRIMARY or sources is None:
        return PRIMARY
    if policy.source_node is not None and policy.source_node == situation.target.node_id:
        return Reading(notes=(f"{FROM_PRIMARY_NOTE}: its source in the settings is this node",))
    if any(source.is_primary for source in sources):
        return PRIMARY
    why = {source.node_id: tuple(reject_source_node(source, situation)) for source in sources}
    usable = [source for source in sources if not why[source.node_id]]
    if usable:
        chosen = _spread(usable, situation.target.node_id)
        return Reading(chosen, (_costs(chosen, situation), *_passed(sources, why)))
    if policy.source_node is not None:
        return Reading(rejections=tuple(_refusals(sources, why)))
    passed = tuple(_passed(sources, why))
    if passed:
        return Reading(notes=(f"{FROM_PRIMARY_NOTE}: no standby is fit for it", *passed))
    return Reading(notes=(f"{FROM_PRIMARY_NOTE}: no standby streams from it",))


def _spread(usable: Sequence[Source], target: NodeId | None) -> Source:
    """Return the source that is read by the fewest, and among those the one that lags least.

    Two runs that begin at the same moment see the same facts. So among equals, the number of the
    node that is recovered decides.
    """

    def rank(source: Source) -> tuple[int, int]:
        backups = 0 if source.server is None else source.server.backups
        return backups, source.lag_bytes // SAME_LAG_BYTES

    best = min(map(rank, usable))
    equal = sorted((one for one in usable if rank(one) == best), key=lambda one: one.node_id)
    return equal[(target or 0) % len(equal)]


def _costs(source: Source, situation: Situation) -> str:
    return (
        f"{source.name}, which lags {pretty_size(source.lag_bytes)}, is read instead of the "
        f"primary; that performs a checkpoint, and retains its WAL since then for {situation.name}"
    )


def _passed(sources: Sequence[Source], why: dict[NodeId, tuple[Rejection, ...]]) -> Iterator[str]:
    for source in sources:
        reasons = [with_detail(one.message, one.detail) for one in why[source.node_id]]
        if reasons:
            yield f"not read from {source.name}: {'; '.join(reasons)}"


def _refusals(
    sources: Sequence[Source], why: dict[NodeId, tuple[Rejection, ...]]
) -> Iterator[Rejection]:
    for source in sources:
        for one in why[source.node_id]:
            yield Rejection(
                f"the copy cannot be read from {source.name}, which the settings name as its "
                f"source: {one.message}",
                detail=one.detail,
                hint=one.hint
                or 'With source = "auto" in [policy] of the settings, the primary is read if no '
                "standby can be.",
            )


def reject_source_node(source: Source, situation: Situation) -> Iterator[Rejection]:
    """Yield every reason why a copy cannot be read from a node."""
    primary = situation.facts.primary
    if source.failed is not None:
        yield source.failed
        return
    cheap = tuple(reject_unasked(source, primary))
    yield from cheap
    if source.problem is not None:
        yield source.problem
    elif source.trouble is not None:
        trouble = source.trouble
        yield Rejection(f"it {trouble.what}", trouble.detail, trouble.hint)
    elif source.server is None:
        if not cheap:
            yield Rejection("it was not examined")
    else:
        yield from _reject_server(source, situation)


def reject_unasked(source: Source, primary: PrimaryFacts) -> Iterator[Rejection]:
    """Yield the reasons that the primary alone shows, for which no host need be asked.

    A standby that commits wait for would answer them later while a copy is read from its disks. One
    that is named but not needed at present takes over when another one is lost.
    """
    awaited = parse_standby_names(primary.synchronous_standby_names)
    if awaited.has(source.application_name):
        yield Rejection("it is synchronous, so commits would wait for its disks")
    if source.lag_bytes > MAX_LAG_BYTES:
        yield Rejection(f"it lags {pretty_size(source.lag_bytes)}")
    if primary.wal is not None and not primary.wal.full_page_writes:
        yield Rejection(
            "full_page_writes is off on the primary",
            detail="A base backup of a standby needs it.",
        )


def _reject_server(source: Source, situation: Situation) -> Iterator[Rejection]:
    server, primary = source.server, situation.facts.primary
    if server is None:
        return
    if server.is_busy:
        yield Rejection("it is being recovered itself")
    if server.standby.delay_ms > 0:
        yield Rejection("it replays with a delay (recovery_min_apply_delay)")
    if server.version != primary.version:
        yield Rejection(
            f"it runs PostgreSQL {_release(server.version)}, the primary "
            f"{_release(primary.version)}",
            detail="Files that another minor release has written may lack its fixes.",
        )
    free = server.max_wal_senders - server.wal_senders
    if free < NEEDED_WAL_SENDERS:
        yield Rejection(
            "it does not have enough free WAL senders",
            detail=f"{server.wal_senders} of {server.max_wal_senders} are in use.",
        )
    lacking = [space for space in primary.tablespaces if space.oid not in server.tablespaces]
    if lacking:
        yield Rejection(f"it does not have tablespace {lacking[0].location} yet")
    if source.conninfo is None:
        yield Rejection(
            f"{situation.name} cannot open a replication connection to it",
            detail=source.login_problem,
            hint=f"Check pg_hba.conf of {source.name} (database replication).",
        )


def _release(version: int) -> str:
    """Return a version as people write it.

    >>> _release(150020)
    '15.20'
    """
    return f"{version // 10000}.{version % 10000}"
