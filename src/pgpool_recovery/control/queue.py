"""One recovery of a node at a time: a second one is refused at once, or waits for the first.

The record shows a running recovery before the target is examined, which takes much longer.
"""

import time
from collections.abc import Callable

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.plan import target_of
from pgpool_recovery.control.record import (
    COPIED,
    INTERRUPTED,
    RecordedRun,
    RecordReader,
    RunProgress,
)
from pgpool_recovery.control.watch import PATIENCE_S
from pgpool_recovery.domain.error import Busy, Unreachable
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.log.note import waits

LOOK_EVERY_S = 1.0


@waits("another recovery of the node to end")
def wait_for_turn(
    primary: Primary, node: Node, say: Callable[[str], None], *, waits: bool, within_s: float
) -> RecordedRun | None:
    """Return the recovery of the node that was waited for; None if none was running.

    Raises Busy if one is running and `waits` is false. A copy that has not been started counts as
    running for a while if we wait, and as ended if we do not.
    """
    if not primary.has(Feature.HISTORY):
        return None
    got_on_at = time.monotonic()
    copied_at: float | None = None
    waited: RunProgress | None = None
    with primary.connect(Feature.HISTORY) as connection:
        record = RecordReader(connection)
        while one := _going_on(record, node):
            now = time.monotonic()
            copied_at = (copied_at or now) if one.state == COPIED else None
            is_left = copied_at is not None and now - copied_at >= PATIENCE_S[COPIED]
            if is_left or (one.state == COPIED and not waits):
                break
            if not waits:
                raise _busy(node, one)
            if waited is None or waited.id != one.id:
                say(f"recovery {one.id} of {node.name} is running; waiting until it has ended")
            if waited is None or waited.place != one.place:
                got_on_at = now
            waited = one
            if now - got_on_at > within_s:
                raise Unreachable(
                    f"recovery {one.id} of {node.name} has made no progress for {within_s:g} "
                    "seconds",
                    hint="It continues. recovery_s in the settings limits how long to wait.",
                    target=TargetState.UNKNOWN,
                )
            time.sleep(LOOK_EVERY_S)
        return None if waited is None else record.run(waited.id)


def _going_on(record: RecordReader, node: Node) -> RunProgress | None:
    target = target_of(node)

    def is_its(one: RunProgress) -> bool:
        if one.node_id is not None:
            return one.node_id == node.node_id
        return (one.host, one.data_directory) == (target.host, target.data_directory)

    found = (one for one in record.progress() if is_its(one) and one.state != INTERRUPTED)
    return max(found, key=lambda one: one.id, default=None)


def _busy(node: Node, running: RunProgress) -> Busy:
    step = f", at step {running.step} of {running.steps}" if running.step else ""
    return Busy(
        f"another recovery of {node.name} is running",
        detail=f"It is recovery {running.id}{step}.",
        hint=f'Watch it with "pgpool-recovery watch {node.node_id}", or use --wait to wait until '
        "it has ended.",
        target=TargetState.UNKNOWN,
    )
