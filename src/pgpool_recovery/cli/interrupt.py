"""End a command on Ctrl-C, a closed terminal or a kill, while its recovery continues."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgpool_recovery.cli.say import complain

if TYPE_CHECKING:
    from pgpool_recovery.control.event import Asked
    from pgpool_recovery.domain.node import NodeId

LEAVING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BY_SIGNAL = 128
"""Added to the signal's number to get the exit status of a command that left, as shells do."""


class Left(KeyboardInterrupt):
    """A signal asked the command to end.

    It is a KeyboardInterrupt, so that psycopg cancels the query that it is waiting for. Otherwise
    the connection could not be closed cleanly.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def leaving_by_signal() -> Iterator[None]:
    """Turn the first signal that ends a command into Left, and ignore further ones."""

    def leave(number: int, _frame: object) -> None:
        for each in LEAVING:
            signal.signal(each, lambda *_: None)  # Not SIG_IGN; see stage.py.
        raise Left(number)

    before = {number: signal.signal(number, leave) for number in LEAVING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(
    left: Left,
    running: "Sequence[Asked]",
    idle: "Sequence[NodeId]" = (),
    *,
    without_pgpool: bool,
) -> int:
    """Report what continues, and return the exit status; raises Cancelled if nothing had begun.

    `idle` are the nodes whose recovery was asked for and has not begun.
    """
    from pgpool_recovery.control.event import POOL
    from pgpool_recovery.domain.error import Cancelled

    name = signal.Signals(left.number).name
    if not running:
        raise Cancelled("the command was interrupted", detail=f"By {name}. Nothing was started.")
    with contextlib.suppress(OSError):  # The terminal may be gone.
        for one in running:
            whom = POOL if one.of == POOL else "a separate process"
            complain(*going_on(one.node_id, whom, without_pgpool=without_pgpool))
        for node_id in idle:
            complain(f"The recovery of node {node_id} was not started.")
    return BY_SIGNAL + left.number


def going_on(node_id: "NodeId", whom: str, *, without_pgpool: bool) -> list[str]:
    """Return what a person who leaves has to know; `whom` is where the recovery continues."""
    option = " --without-pgpool" if without_pgpool else ""
    return [
        f"The recovery of node {node_id} continues in {whom}; only this command has ended.",
        f"  to watch it:   pgpool-recovery watch {node_id}{option}",
        f"  to cancel it:  pgpool-recovery cancel {node_id}{option}",
    ]
