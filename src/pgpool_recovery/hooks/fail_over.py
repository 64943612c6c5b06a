"""Run failover_command: promote a standby when the primary is gone."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.cluster import Node
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.quantity import pretty_duration
from pgpool_recovery.domain.record import replace
from pgpool_recovery.hooks.call import Call
from pgpool_recovery.hooks.choice import (
    Decision,
    KeepSlot,
    Leave,
    PromoteNode,
    StopOldPrimary,
    decide,
    decide_after_stop,
)
from pgpool_recovery.hooks.handover import (
    complete_nodes,
    is_complete,
    last_seen,
    let_go,
    make_ready,
    way_back,
)
from pgpool_recovery.hooks.listen import listen_for
from pgpool_recovery.hooks.observe import Known, View, known, look
from pgpool_recovery.hooks.promotion import promote_best
from pgpool_recovery.hooks.refusal import goes_on, lives_unseen, still_writes
from pgpool_recovery.hooks.slots import hold_wal_for, look_after_slots
from pgpool_recovery.hooks.stop import order_stop, wait_until_stopped, why_not_stoppable
from pgpool_recovery.log.note import note, note_parts
from pgpool_recovery.pcp.pool import Pool
from pgpool_recovery.postgres.connection import load

TRY_FOR_S = 1.0


def fail_over(call: Call, pool: Pool, settings: Settings, say: Say) -> None:
    """Do the work of Pgpool-II's failover_command; raises RecoveryError when it cannot.

    Whatever this does or leaves alone, Pgpool-II itself searches for the primary afterwards.
    """
    say(f"node {call.node_id} is down")
    load()  # While Pgpool-II answers, to save time: no client can write until this has ended.
    nodes = known(call, pool, settings, try_for_s=TRY_FOR_S)
    if not nodes.cluster.has_standbys:
        say("Pgpool-II writes to all nodes; there is nothing to promote")
        return
    view = look(call, nodes, connect_s=settings.failover.connect_s)
    view, decision = _decide(call, nodes, view, settings)
    note_parts("scene", view.scene)
    note("decides on {}", decision)
    match decision:
        case RecoveryError():
            raise decision
        case Leave(reason):
            say(reason)
        case KeepSlot():
            _keep_slots(call, nodes, view, settings, say)
        case PromoteNode():
            _promote(decision, view, settings, say)
        case StopOldPrimary():
            _hand_over(call, nodes, decision, view, settings, say)


def _decide(
    call: Call, nodes: Known, view: View, settings: Settings
) -> tuple[View, Decision | RecoveryError]:
    """Decide what to do.

    Before a promotion, check whether a standby still hears the silent old primary, and decide again
    from what was observed meanwhile.
    """
    decision = decide(call, view.scene, settings.failover)
    old = call.old_primary_id
    if not isinstance(decision, PromoteNode) or old is None:
        return view, decision
    heard, view = listen_for(old, call, nodes, view)
    if heard is not None:
        return view, lives_unseen(old, heard)
    return view, decide(call, view.scene, settings.failover)


def _promote(choice: PromoteNode, view: View, settings: Settings, say: Say) -> Node:
    for remark in choice.remarks:
        say(remark)
    return promote_best(choice, view, settings, say)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let no termination signal come between the stop and the promotion.

    When Pgpool-II is stopped, systemd sends one to every process that it has started. No node would
    be primary then. Every wait in the block has a limit.
    """
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@_uninterrupted()
def _hand_over(
    call: Call, nodes: Known, stop: StopOldPrimary, view: View, settings: Settings, say: Say
) -> None:
    """Replace a live primary; it stays primary unless another node is ready to take its place."""
    old = nodes.cluster.node(stop.node_id)
    if why := why_not_stoppable(old, view.cluster.login):
        raise still_writes(old.node_id, f"{why[:1].upper()}{why[1:]}.")
    readiness = make_ready(stop, view, settings.failover, say)
    for reason in readiness.reasons:
        say(reason)
    if not readiness.ready:
        raise goes_on(old.node_id, "\n".join(readiness.reasons))
    stop = last_seen(replace(stop, successors=readiness.ready), view)
    back = way_back(old, view)
    say(f"if no node takes its place, {back}")
    _order_stop(old, stop, readiness.slots, view, say)
    no_primary = f"{old.name} was stopped by this command and no other node took its place"
    if readiness.slots:
        no_primary += f"; the slots created there remain: {', '.join(readiness.slots)}"
    with _saying(say, old, no_primary, back):
        _wait_for_end(old, stop, view, settings, say)
        complete = complete_nodes(stop, view)
        view = look(call, nodes, connect_s=settings.failover.connect_s)
        decision = decide_after_stop(call, view.scene, settings.failover, stop, complete)
        note_parts("scene", view.scene)
        note("decides, after the stop, on {}", decision)
        if isinstance(decision, RecoveryError):
            raise decision
    if isinstance(decision, Leave):
        say(f"{old.name} was stopped by this command; {decision.reason}")
        return
    unclear = f"{old.name} was stopped by this command; first check whether another node is primary"
    with _saying(say, old, unclear, back):
        new = _promote(decision, view, settings, say)
    hold_wal_for(old, new, view.login(new), say)


def _order_stop(
    old: Node, stop: StopOldPrimary, slots: Sequence[str], view: View, say: Say
) -> None:
    say(
        f"{old.name} still accepts writes; it is stopped so that there is only one primary, and "
        f"node {stop.successors[0]} is ready to take its place"
    )
    try:
        order_stop(old, view.cluster.login)
    except RecoveryError as error:
        let_go(old, view, slots, say)
        raise still_writes(old.node_id, f"{error.message}.") from error


def _wait_for_end(
    old: Node, stop: StopOldPrimary, view: View, settings: Settings, say: Say
) -> None:
    """Wait until the primary has stopped, or waits only for a standby that does not answer."""
    began = time.monotonic()
    wait_until_stopped(
        old,
        within_s=settings.timeout.stop_s,
        is_over=lambda: any(is_complete(node, stop, view) for node in stop.successors),
    )
    say(f"{old.name} has stopped after {pretty_duration(time.monotonic() - began)}")


@contextmanager
def _saying(say: Say, old: Node, what: str, back: str) -> Iterator[None]:
    """Report what this command has done and how to undo it, when the block fails."""
    try:
        yield
    except BaseException:
        say(what)
        say(f"to undo that, {back}")
        say(f'then run "pgpool-recovery attach {old.node_id}", which does not start a server')
        raise


def _keep_slots(call: Call, nodes: Known, view: View, settings: Settings, say: Say) -> None:
    """Check the slots of the nodes that are down, on the primary."""
    primary_id = call.old_primary_id
    assert primary_id is not None  # noqa: S101 - decide() keeps slots only of a known primary
    if primary_id not in view.scene.standings:
        say(f"{view.scene.silent.get(primary_id, 'the primary is unknown')}")
        return
    down = [
        node
        for node in nodes.cluster.nodes
        if node.node_id == call.node_id or _is_down(node.node_id, nodes)
    ]
    primary = nodes.cluster.node(primary_id)
    say(f"{primary.name} remains the primary; nothing is promoted")
    look_after_slots(primary, view.login(primary), down, settings.failover, say)


def _is_down(node_id: NodeId, nodes: Known) -> bool:
    return nodes.failure is None and node_id not in nodes.attached
