"""recover: recover nodes."""

import sys
from typing import TYPE_CHECKING

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.error import SettingsError, UsageError
from pgpool_recovery.domain.node import NodeId, parse_node_id
from pgpool_recovery.facts.policy import Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgpool_recovery.config.settings import Settings
    from pgpool_recovery.control.consent import AskPerson, ConsentQuestion
    from pgpool_recovery.control.event import Outcome
    from pgpool_recovery.pcp.pool import Pool

GRAVEST_FIRST = (8, 9, 1, 7, 5, 6, 3, 2, 4, 10)
"""Exit statuses: first a node that is incomplete, last one whose recovery was not confirmed."""


def recover(
    *nodes: str,
    all_down: bool = False,
    yes: bool = False,
    at_most: str | None = None,
    at_once: int = 1,
    wait: bool = False,
    as_json: bool = False,
    as_events: bool = False,
    where: Where,
) -> int:
    """Recover nodes: bring each back as a standby, copying no more data than necessary."""
    from pgpool_recovery.cli.interrupt import Left, leave, leaving_by_signal
    from pgpool_recovery.cli.screen import screen_of
    from pgpool_recovery.control.job import Desk
    from pgpool_recovery.control.recover import recover_nodes
    from pgpool_recovery.control.together import recover_together
    from pgpool_recovery.plan.harm import up_to

    settings = where.settings()
    pool = None if where.without_pgpool else where.pool(settings)
    with leaving_by_signal():
        try:
            node_ids = _node_ids(nodes, pool, settings, all_down=all_down)
        except Left as left:
            return leave(left, (), without_pgpool=where.without_pgpool)
        are_several = is_together(node_ids, at_once)
        screen = screen_of(as_json=as_json, as_events=as_events, are_several=are_several)
        try:
            with screen:
                desk = Desk(
                    screen.tell,
                    _asking(yes=yes),
                    None if at_most is None else up_to(Method(at_most)),
                    is_there=sys.stdin.isatty(),
                    waits=wait,
                )
                if are_several:
                    outcomes = recover_together(node_ids, pool, settings, desk, at_once=at_once)
                else:
                    outcomes = recover_nodes(node_ids, pool, settings, desk)
        except Left as left:
            touched = {one.node_id for one in screen.running}
            touched |= {one.node_id for one in screen.ended if one.node_id is not None}
            idle = [node_id for node_id in node_ids if node_id not in touched]
            return leave(left, screen.running, idle, without_pgpool=where.without_pgpool)
    status = (gravest if are_several else first_failure)(outcomes)
    return _end(outcomes, status, as_json=as_json, as_events=as_events)


def is_together(node_ids: "Sequence[NodeId]", at_once: int) -> bool:
    """Return whether nodes are recovered at the same time."""
    return at_once > 1 and len(node_ids) > 1


def first_failure(outcomes: "Sequence[Outcome]") -> int:
    """Return the exit status of the first failure."""
    return next((one.exit_status for one in outcomes if one.failure is not None), 0)


def gravest(outcomes: "Sequence[Outcome]") -> int:
    """Return the exit status of the failure that needs attention first."""
    found = {one.exit_status for one in outcomes}
    return next((status for status in GRAVEST_FIRST if status in found), max(found, default=0))


def _node_ids(
    nodes: "Sequence[str]", pool: "Pool | None", settings: "Settings", *, all_down: bool
) -> list[NodeId]:
    from pgpool_recovery.control.recover import nodes_down

    if bool(nodes) == all_down:
        raise UsageError(
            "--all-down cannot be combined with node ids"
            if nodes
            else "specify the nodes to recover, or --all-down",
            hint='"pgpool-recovery status" shows the nodes.',
        )
    if not all_down:
        return list(dict.fromkeys(map(parse_node_id, nodes)))
    if pool is None:
        raise SettingsError("--all-down needs Pgpool-II, which knows which nodes are down")
    return nodes_down(pool, settings)


def _asking(*, yes: bool) -> "AskPerson":
    from pgpool_recovery.cli.consent import ask
    from pgpool_recovery.cli.render.question import question_text

    def put(question: "ConsentQuestion") -> None:
        if question.is_needed:
            is_answered = yes and not question.is_again
            what = f"the recovery of {question.node.name}"
            ask(question_text(question), what, yes=is_answered)

    return put


def _end(outcomes: "list[Outcome]", status: int, *, as_json: bool, as_events: bool) -> int:
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.event_document import outcome_parts
    from pgpool_recovery.cli.render.lines import outcome_text

    if as_json:
        recoveries = [outcome_parts(outcome) for outcome in outcomes]
        say_json(document(recoveries=recoveries, exit_status=status))
    elif not as_events and len(outcomes) != 1:
        lines = [outcome_text(outcome) for outcome in outcomes]
        say(*(["", *lines] if lines else ["no node is down"]))
    return status
