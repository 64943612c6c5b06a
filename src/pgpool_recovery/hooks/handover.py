"""Hand over from a live primary to a standby: what must be true before the stop, and after it.

A fast shutdown alone is not enough. The primary's own shutdown checkpoint removes WAL that a
standby without a slot has yet to receive, and a WAL sender that is terminated (wal_sender_timeout,
a lost link) leaves the rest unsent. The shutdown succeeds all the same.
"""

import time
from collections.abc import Mapping, Sequence

from pgpool_recovery.config.settings import FailoverSettings
from pgpool_recovery.control.cluster import Node, connect_to
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.slot import slot_state
from pgpool_recovery.domain.wal import Lsn, parse_lsn
from pgpool_recovery.hooks.choice import StopOldPrimary
from pgpool_recovery.hooks.observe import View, standing_of
from pgpool_recovery.hooks.scene import Standing
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.slots import drop_slot
from pgpool_recovery.postgres.wal_end import shutdown_position, wal_page

LOOK_EVERY_S = 0.1
ENDS_WITHIN_S = 5.0
MEGABYTE = 1024 * 1024


@record
class Readiness:
    """For which successors the primary may be stopped, and why not for the others.

    `slots` are those that were created on the primary to hold its WAL for them.
    """

    ready: tuple[NodeId, ...]
    reasons: tuple[str, ...]
    slots: tuple[str, ...]


def make_ready(stop: StopOldPrimary, view: View, settings: FailoverSettings, say: Say) -> Readiness:
    """Hold the primary's WAL for the successors, and wait until one of them has caught up.

    Raises Unreachable when the primary no longer answers. The slots that were created are dropped
    then, and also when no successor is ready.
    """
    old = view.cluster.node(stop.node_id)
    slots: list[str] = []
    try:
        with connect_to(old, view.login(old)) as primary:
            found = _reasons(primary, stop, view, settings, slots)
    except BaseException:
        let_go(old, view, slots, say)
        raise
    ready = tuple(node for node in stop.successors if found[node] is None)
    if not ready:
        let_go(old, view, slots, say)
    reasons = tuple(f"Node {node}: {why}." for node, why in sorted(found.items()) if why)
    return Readiness(ready, reasons, tuple(slots))


def _reasons(
    primary: Connection,
    stop: StopOldPrimary,
    view: View,
    settings: FailoverSettings,
    slots: list[str],
) -> dict[NodeId, str | None]:
    """Return for each successor why the primary may not be stopped for it; None where it may."""
    reasons: dict[NodeId, str | None] = {}
    held: dict[NodeId, Lsn] = {}
    for node_id in stop.successors:
        node = view.cluster.node(node_id)
        try:
            if _is_same_wal(primary, node, stop.before, view):
                held[node_id] = _hold_wal(primary, node, view.scene.standings[node_id], slots)
            else:
                reasons[node_id] = f"its WAL differs from that of node {stop.node_id}"
        except Unreachable as error:
            reasons[node_id] = error.in_a_line
    old = view.cluster.node(stop.node_id)
    return {**reasons, **_wait_for_one(primary, old, held, view, settings)}


def _is_same_wal(primary: Connection, node: Node, before: Standing, view: View) -> bool:
    """Return whether both servers have the same bytes at the end of the standby's WAL.

    A different history may have the same timeline number (two promotions of one cluster).
    """
    standing = view.scene.standings[node.node_id]
    end = Lsn(min(standing.position, before.position))
    with connect_to(node, view.login(node)) as standby:
        theirs = _page(standby, standing, end)
    ours = _page(primary, before, end)
    return ours is not None and ours == theirs


def _page(connection: Connection, standing: Standing, end: Lsn) -> object:
    page_bytes, segment_bytes = _sizes(standing)
    return wal_page(connection, standing.timeline, end, page_bytes, segment_bytes)


def _hold_wal(primary: Connection, node: Node, standing: Standing, slots: list[str]) -> Lsn:
    """Return from where on the primary holds its WAL for a standby, and create a slot if none does.

    It is the slot that a recovery of the node would create, so the old primary drops it as a
    leftover when it comes back as a standby. Raises Unreachable when it cannot be created.
    """
    for name in filter(None, (standing.slot_name, node.slot_name)):
        for row in primary.rows("held_wal", name=name):
            if row["is_active"] or name == node.slot_name:
                return parse_lsn(row["held_from"])
    primary.rows("create_slot", name=node.slot_name)
    slots.append(node.slot_name)
    return parse_lsn(primary.row("held_wal", name=node.slot_name)["held_from"])


@waits("a standby to catch up")
def _wait_for_one(
    primary: Connection,
    old: Node,
    held: Mapping[NodeId, Lsn],
    view: View,
    settings: FailoverSettings,
) -> dict[NodeId, str | None]:
    """Wait until a standby has caught up so far that the rest is held for it; return why not."""
    deadline = time.monotonic() + settings.catch_up_s
    limit_mb = primary.row("slot_wal_limit")["limit_mb"]
    bound_mb = settings.max_lag_mb if limit_mb < 0 else min(settings.max_lag_mb, limit_mb)
    while True:
        written = standing_of(old, view.login(old))
        if isinstance(written, Unreachable):
            return dict.fromkeys(held, written.in_a_line)
        lags = {
            node: _why_behind(view.cluster.node(node), since, written[0].position, bound_mb, view)
            for node, since in held.items()
        }
        if None in lags.values() or not held or time.monotonic() > deadline:
            return lags
        time.sleep(LOOK_EVERY_S)


def _why_behind(node: Node, held_from: Lsn, written: Lsn, bound_mb: int, view: View) -> str | None:
    answer = standing_of(node, view.login(node))
    if isinstance(answer, Unreachable):
        return answer.in_a_line
    behind = written - answer[0].position
    if not answer[0].is_streaming:
        return "it does not stream"
    if behind > bound_mb * MEGABYTE:
        return f"it is {pretty_size(behind)} behind, more than {bound_mb} MB (failover.max_lag_mb)"
    if answer[0].position < held_from:
        return "it still needs WAL that the primary does not hold for it"
    return None


def let_go(old: Node, view: View, slots: Sequence[str], say: Say) -> None:
    """Drop the slots that were created, since nothing is stopped."""
    if not slots:
        return
    try:
        with connect_to(old, view.login(old)) as primary:
            for state in map(slot_state, primary.rows("slots")):
                drop_slot(primary, state, slots)
    except Unreachable as error:
        names = " and ".join(slots)
        say(f"could not drop replication slot {names}, created on {old.name}: {error.message}")


@waits("the standbys to have all WAL of the old primary")
def complete_nodes(
    stop: StopOldPrimary, view: View, *, within_s: float = ENDS_WITHIN_S
) -> frozenset[NodeId]:
    """Return the standbys whose WAL ends where that of the stopped primary ends.

    A standby that lacks the end may be about to write it. So the first one, which is the one that
    was asked for, gets a moment: another one is not promoted for being faster by an instant.
    """
    deadline = time.monotonic() + within_s
    while True:
        found = frozenset(node for node in stop.successors if is_complete(node, stop, view))
        if stop.successors[0] in found or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_EVERY_S)


def is_complete(node_id: NodeId, stop: StopOldPrimary, view: View) -> bool:
    """Return whether a standby has everything that the primary wrote before it stopped.

    It does when its WAL ends with a shutdown checkpoint beyond the position that the primary last
    reported: nothing is written after that checkpoint.
    """
    if not view.has_let_in(node_id):
        return False
    node = view.cluster.node(node_id)
    answer = standing_of(node, view.login(node))
    if isinstance(answer, Unreachable):
        return False
    page_bytes, segment_bytes = _sizes(answer[0])
    try:
        with connect_to(node, view.login(node)) as connection:
            begin = shutdown_position(
                connection, answer[0].timeline, answer[0].position, page_bytes, segment_bytes
            )
    except Unreachable:
        return False
    return begin is not None and begin >= stop.before.position


def _sizes(standing: Standing) -> tuple[int, int]:
    return int(standing.settings["wal_block_size"]), int(standing.settings["wal_segment_size"])


def last_seen(stop: StopOldPrimary, view: View) -> StopOldPrimary:
    """Return `stop` with what the primary reports now, for the last time before it stops."""
    old = view.cluster.node(stop.node_id)
    answer = standing_of(old, view.login(old))
    if isinstance(answer, Unreachable):
        return stop
    return replace(stop, before=answer[0])


def way_back(node: Node, view: View) -> str:
    """Return how to start a server again; it must still be running, since it is queried."""
    where = node.host or "this host"
    try:
        with connect_to(node, view.login(node)) as connection:
            row = connection.row("hook_server")
    except Unreachable:
        return f"start the server of {node.name} again on {where}"
    directory, config = row["data_directory"], row["config_file"]
    options = "" if config.startswith(f"{directory}/") else f" -o '-c config_file={config}'"
    return (
        f"start the server of {node.name} again on {where}: start its service, or as the owner of "
        f"{directory} run {row['bin_directory']}/pg_ctl start -D {directory}{options}"
    )
