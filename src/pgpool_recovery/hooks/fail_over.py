"""failover_command: promote a standby when the primary is gone, and nothing else."""

import math
import time
from collections.abc import Callable

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import RecoveryError, Unreachable, Unverified
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.wal import lsn_text
from pgpool_recovery.hooks.call import Call
from pgpool_recovery.hooks.choice import (
    KeepSlot,
    Leave,
    PromoteNode,
    Standing,
    StopOldPrimary,
    decide,
    still_writes,
)
from pgpool_recovery.hooks.look import Known, View, known, look, standing_of
from pgpool_recovery.hooks.slots import hold_wal_for, look_after_slots
from pgpool_recovery.hooks.stop import stop_server
from pgpool_recovery.operator.cluster import Node, connect_to
from pgpool_recovery.operator.leftover_slots import drop_leftover_slots
from pgpool_recovery.pcp.pool import Pool

ASK_EVERY_S = 0.1
TRY_FOR_S = 1.0

Say = Callable[[str], None]


def fail_over(call: Call, pool: Pool, settings: Settings, say: Say) -> None:
    """Do what Pgpool-II's failover_command is for; raises why it could not.

    Whatever it does or leaves, Pgpool-II looks for the primary itself when this has ended.
    """
    say(f"node {call.node_id} is down")
    nodes = known(call, pool, settings, try_for_s=TRY_FOR_S)
    if not nodes.cluster.has_standbys:
        say("Pgpool-II writes to all nodes; there is nothing to promote")
        return
    connect_s = settings.failover.connect_s
    view = look(call, nodes, connect_s=connect_s)
    decision = decide(call, view.scene, settings.failover)
    stopped: Node | None = None
    if isinstance(decision, StopOldPrimary):
        stopped = nodes.cluster.node(decision.node_id)
        _stop(stopped, view, settings, say)
        view = look(call, nodes, connect_s=connect_s)
        decision = decide(call, view.scene, settings.failover)
    match decision:
        case RecoveryError():
            raise decision
        case Leave(reason):
            say(reason)
        case KeepSlot():
            _keep_slots(call, nodes, view, settings, say)
        case PromoteNode(node_id, remarks):
            for remark in remarks:
                say(remark)
            node = nodes.cluster.node(node_id)
            drop_leftover_slots(node, view.login(node), say)
            _promote(node, view, settings, say)
            if stopped is not None:
                hold_wal_for(stopped, node, view.login(node), say)
        case StopOldPrimary(node_id):  # It was stopped, and something has started it again.
            raise still_writes(node_id, "It was stopped, and accepts writes again.")


def _stop(node: Node, view: View, settings: Settings, say: Say) -> None:
    say(f"{node.name} still accepts writes; it is stopped, so that there is one primary")
    began = time.monotonic()
    stop_server(node, view.cluster.login, within_s=settings.timeout.stop_s)
    say(f"{node.name} has stopped, after {time.monotonic() - began:.1f} s")


def _promote(node: Node, view: View, settings: Settings, say: Say) -> None:
    """Promote a server, and wait until it accepts writes."""
    before = view.scene.standings[node.node_id]
    say(f"{node.name} ({node.address}) is promoted")
    began = time.monotonic()
    within_s = settings.timeout.promote_s
    with connect_to(
        node, view.login(node), answer_s=within_s + settings.pgpool.answer_s
    ) as connection:
        connection.row("promote", timeout_s=math.ceil(within_s))
    after = _wait_for_writes(node, view, began + within_s, within_s)
    say(
        f"{node.name} accepts writes after {time.monotonic() - began:.1f} s, "
        f"on timeline {after.timeline} since {lsn_text(before.position)}"
    )


def _wait_for_writes(node: Node, view: View, deadline: float, within_s: float) -> Standing:
    while True:
        answer = standing_of(node, view.login(node))
        if not isinstance(answer, Unreachable) and answer[0].is_primary:
            return answer[0]
        if time.monotonic() > deadline:
            said = "It is a standby still."
            if isinstance(answer, Unreachable):
                said = f"{answer.message}: {answer.detail}"
            raise Unverified(
                f"{node.name} was told to promote itself and does not accept writes "
                f"after {within_s:g} seconds",
                detail=said,
                hint="Look at its log. timeout.promote_s in the settings says how long is waited.",
            )
        time.sleep(ASK_EVERY_S)


def _keep_slots(call: Call, nodes: Known, view: View, settings: Settings, say: Say) -> None:
    """Look after the slots of the nodes that are down, on the primary."""
    primary_id = call.old_primary_id
    assert primary_id is not None  # noqa: S101 - decide() keeps slots beside a known primary
    if primary_id not in view.scene.standings:
        say(f"{view.scene.silent.get(primary_id, 'the primary is not known')}")
        return
    down = [
        node
        for node in nodes.cluster.nodes
        if node.node_id == call.node_id or _is_down(node.node_id, nodes)
    ]
    primary = nodes.cluster.node(primary_id)
    say(f"the primary, {primary.name}, stays; nothing is promoted")
    look_after_slots(primary, view.login(primary), down, settings.failover, say)


def _is_down(node_id: NodeId, nodes: Known) -> bool:
    return nodes.failure is None and node_id not in nodes.attached
