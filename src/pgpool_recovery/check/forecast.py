"""How each node would be recovered if it were lost now, and what would prevent that."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import estimate, sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.control_file import STANDBY_PARAMETERS
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import History, Point, TimelineId
from pgpool_recovery.facts.access import as_source
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.node import NodeFacts, PeerFacts, Problem, ServerFacts
from pgpool_recovery.facts.policy import KeepOld, Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.stop import once_emptied, once_lost

NOTHING_TRIED = PeerFacts(agent_version=None, problem=None, logins=(), sql_logins=(), untried=None)
Made = Plan | tuple[Rejection, ...]


def forecast(report: Report) -> Iterator[Finding]:
    """Report for each node how it would come back, or why it would not."""
    for place, target, node in report.reached():
        if place != report.primary_place:
            yield from _of(report, target, node.facts, node.link_bytes_per_s, "")
            continue
        successor = successor_of(report)
        if successor is None:
            yield Finding(
                Kind.NO_STANDBY,
                target.node_id,
                f"{target.name} is the primary, and there is no standby that could take over",
                "Recover a node first; until then, the loss of this one is an outage.",
            )
            continue
        new, server = report.nodes[successor], report.server(successor)
        if server is not None:
            when = f"after a failover to {report.name(successor)}, "
            facts = after_failover(report, node, new, server, successor)
            yield from _of(report, target, facts, new.link_bytes_per_s, when)


def successor_of(report: Report) -> int | None:
    """Return the place of the standby that Pgpool-II fails over to: the first one that runs."""
    return next(
        (
            place
            for place, _, _ in report.reached()
            if place != report.primary_place and report.server(place) is not None
        ),
        None,
    )


def after_failover(
    report: Report, old: NodeFacts, new: NodeFacts, server: ServerFacts, successor: int
) -> Facts:
    """Return what would be known about the primary if it crashed and the successor was promoted.

    The successor begins a new timeline at the primary's current position. It is not known what the
    primary would have beyond that, so it counts as diverged.
    """
    primary, peer = report.primary, old.peers.get(successor, NOTHING_TRIED)
    wal = primary.wal
    if wal is not None:
        ends = (*wal.history.ends, Point(wal.history.current, wal.written))
        wal = replace(
            wal,
            history=History(TimelineId(wal.history.current + 1), ends),
            full_page_writes=server.is_on("full_page_writes"),
            is_summarized=server.is_on("summarize_wal"),
        )
    promoted = replace(
        primary,
        is_in_recovery=False,
        data_directory=new.facts.target.data.identity,
        wal_level=server.settings["wal_level"],
        max_wal_senders=server.number("max_wal_senders"),
        wal_senders=0,
        max_replication_slots=server.number("max_replication_slots"),
        slots=(),
        standby_parameters={name: server.number(name) for name in STANDBY_PARAMETERS},
        tablespaces=tuple(replace(space, identity=None) for space in primary.tablespaces),
        streams=(),
        wal=wal,
        access=as_source(new.facts.target.access),
    )
    target = replace(old.facts.target, server_pid=None, is_standby=False)
    return replace(
        old.facts,
        primary=promoted,
        target=target,
        logins=peer.logins,
        rewind_logins=peer.sql_logins,
        login_problem=None if peer.untried is None else _untried(peer.untried),
        summaries=None,
        changed_bytes=None,
    )


def _untried(problem: Problem) -> Rejection:
    return Rejection(problem.message, problem.detail, problem.hint, kind=Unreachable)


def _of(
    report: Report, target: Target, facts: Facts, link: float | None, when: str
) -> Iterator[Finding]:
    """Report the outcome of two losses: of the server, and of its data as well."""
    measured = replace(facts, link_bytes_per_s=link, paces=report.paces)
    stopped = make_plan(target, once_lost(measured), report.policy)
    emptied = make_plan(target, once_emptied(measured), report.policy)
    known: tuple[Rejection, ...] = ()
    for made, loss in ((stopped, ""), (emptied, " without its data")):
        if not isinstance(made, Plan):
            new = tuple(reason for reason in made if reason not in known)
            known += new
            yield from _refused(target, new, f"{when}a recovery of {target.name}{loss}")
    if isinstance(stopped, Plan) and isinstance(emptied, Plan):
        first, second = estimate(stopped), estimate(emptied)
        yield Finding(
            Kind.FORECAST,
            target.node_id,
            f"{when}{target.name} would come back by {first}; without its data by {second}",
        )
    yield from _copy(report, target, facts, when)


def _refused(target: Target, reasons: tuple[Rejection, ...], what: str) -> Iterator[Finding]:
    """Report the reasons; a login that fails is a separate finding between two nodes."""
    for reason in reasons:
        if reason.kind is not Unreachable and not reason.is_aside:
            detail = "" if reason.detail is None else f" ({sentence(reason.detail)})"
            yield Finding(
                Kind.REFUSED,
                target.node_id,
                f"{what} would be refused: {reason.message}{detail}",
                reason.hint,
            )


def _copy(report: Report, target: Target, facts: Facts, when: str) -> Iterator[Finding]:
    """Report if a full copy, which is always the last resort, lacks space next to the old data."""
    policy = report.policy
    if Method.BASEBACKUP not in policy.methods or policy.keep_old is KeepOld.NEVER:
        return
    made = make_plan(target, once_lost(facts), replace(policy, methods=(Method.BASEBACKUP,)))
    if isinstance(made, Plan) and made.old_data is OldData.GOES:
        room = "; ".join(
            sentence(str(room)) for room in made.needs if room.needed_bytes > room.free_bytes
        )
        yield Finding(
            Kind.OLD_DATA_GOES,
            target.node_id,
            f"{when}a full copy of {target.name} would remove the old data before it copies: "
            f"{room}",
            "Make room for a second copy of the data, so that the old one can stay until the new "
            "one runs.",
        )
