"""Cancel a recovery on all hosts, by cancelling the statement on the primary that runs it."""

import time
from collections.abc import Callable
from typing import Any

from pgpool_recovery.control.cluster import Node, connect_to
from pgpool_recovery.control.event import Remarked, Tell
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.record import COPIED, INTERRUPTED, RecordedRun, RecordReader
from pgpool_recovery.domain.error import Refused, Undone, Unverified
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection

TELL_AGAIN_EVERY_S = 5.0
"""Between the two stages there is a moment without a statement that could be cancelled."""
LOOK_EVERY_S = 0.3
CALLED_WITHIN_S = 3.0
"""After the first stage Pgpool-II calls the remote start at once."""


def cancel(primary: Primary, node: Node, tell: Tell, *, within_s: float) -> RecordedRun | None:
    """Cancel the recovery of a node, wait until it has ended, and return its record.

    Returns None if nothing is recorded; then only the end of the statement is visible. Raises
    Refused if no recovery of the node is running, and Unverified if it has not ended in time.
    """
    if not primary.has(Feature.HISTORY):
        lacks = primary.lacks(Feature.HISTORY)
        tell(Remarked(f"the state of the target is unknown: {lacks.message}"))
        _cancel_calls(primary, node, within_s)
        return None
    with primary.connect(Feature.HISTORY) as connection:
        record = RecordReader(connection)
        found = [one for one in record.progress() if one.node_id == node.node_id]
        if not found:
            raise _nothing_runs(node)
        running = found[-1]
        if running.state == COPIED and not _calls_of(connection, node):
            run = record.run(running.id)
            left = TargetState.COPIED if run is None else run.left
            raise _nothing_runs(node, f"It is {left}: recovery {running.id}.")
        if running.state != INTERRUPTED:
            _cancel_until(
                _End(record, connection, running.id, node).has_come,
                lambda: _order_all(connection, running.backend_pid, node),
                node,
                within_s,
            )
        return record.run(running.id)


class _End:
    """Detects the end of a run, even if the remote start ended before it continued the record.

    In that case the run stays copied, and no session calls a function for the node any longer.
    """

    def __init__(
        self, record: RecordReader, connection: Connection, run_id: int, node: Node
    ) -> None:
        self._record, self._connection = record, connection
        self._run_id, self._node = run_id, node
        self._alone_since: float | None = None

    def has_come(self) -> bool:
        """Return whether the run has ended."""
        run = self._record.run(self._run_id)
        if run is None or run.has_ended:
            return True
        if run.state != COPIED or _calls_of(self._connection, self._node):
            self._alone_since = None
            return False
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        return now - self._alone_since > CALLED_WITHIN_S


def _order_all(connection: Connection, pid: int | None, node: Node) -> None:
    """Cancel the session on record, and those that call for the node now: they may be others."""
    for one in {pid, *(call["pid"] for call in _calls_of(connection, node))}:
        _order(connection, one)


def _order(connection: Connection, pid: int | None) -> None:
    if pid is not None:
        connection.rows("cancel_backend", pid=pid)


def _cancel_calls(primary: Primary, node: Node, within_s: float) -> None:
    with connect_to(primary.node, primary.login) as connection:
        if not _calls_of(connection, node):
            raise _nothing_runs(node)

        def order() -> None:
            for call in _calls_of(connection, node):
                _order(connection, call["pid"])

        _cancel_until(lambda: not _calls_of(connection, node), order, node, within_s)


def _calls_of(connection: Connection, node: Node) -> list[dict[str, Any]]:
    """Return the running calls that name the node's data directory and its host."""
    wanted = (f"'{node.data_directory}'", f"'{node.told_host}'")
    rows = connection.rows("running_calls")
    return [row for row in rows if all(word in row["query"] for word in wanted)]


@waits("the recovery to end")
def _cancel_until(
    has_ended: Callable[[], bool], order: Callable[[], None], node: Node, within_s: float
) -> None:
    deadline = time.monotonic() + within_s
    order_at = 0.0
    while not has_ended():
        now = time.monotonic()
        if now > deadline:
            raise Unverified(
                f"the recovery of {node.name} has not ended",
                detail=f"The cancel request was sent {within_s:g} seconds ago.",
                hint=f'Check "pgpool-recovery watch {node.node_id}" and the server log of the '
                "primary.",
                target=TargetState.UNKNOWN,
            )
        if now >= order_at:
            order()
            order_at = now + TELL_AGAIN_EVERY_S
        time.sleep(LOOK_EVERY_S)


def _nothing_runs(node: Node, detail: str | None = None) -> Refused:
    return Refused(
        f"no recovery of {node.name} is running",
        detail=detail,
        hint='"pgpool-recovery history" shows how the last one ended.',
    )


def ended_otherwise(run: RecordedRun) -> Undone | None:
    """Return the failure of a cancel that came too late, after the recovery had completed."""
    if run.state != "recovered":
        return None
    return Undone(
        f"the recovery of {run.name} was complete before it could be cancelled",
        target=TargetState.STARTED,
    )
