"""What becomes of a recovery when the person leaves: Ctrl-C, a closed terminal, a kill."""

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgpool_recovery.cli.say import complain

if TYPE_CHECKING:
    from pgpool_recovery.control.event import Asked
    from pgpool_recovery.domain.node import NodeId

LEAVING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BY_SIGNAL = 128
"""Added to the signal's number, as shells do: the exit status of a command that left."""


class Left(KeyboardInterrupt):
    """A signal says to leave.

    It is an interrupt, so that psycopg ends a query that it is waiting for before it goes on:
    otherwise the connection cannot be closed in order.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def leaving_by_signal() -> Iterator[None]:
    """Turn the first signal that ends a command into Left, and pay no attention to more."""

    def leave(number: int, _frame: object) -> None:
        for each in LEAVING:
            signal.signal(each, lambda *_: None)  # As in stage.py.
        raise Left(number)

    before = {number: signal.signal(number, leave) for number in LEAVING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(left: Left, running: "Asked | None", *, without_pgpool: bool) -> int:
    """Say what goes on, and return the exit status; Cancelled when nothing had begun."""
    from pgpool_recovery.control.event import POOL
    from pgpool_recovery.domain.error import Cancelled

    name = signal.Signals(left.number).name
    if running is None:
        raise Cancelled("the command was ended", detail=f"By {name}. Nothing was begun.")
    with contextlib.suppress(OSError):  # The terminal may be gone.
        whom = POOL if running.of == POOL else "a process of its own"
        complain(*going_on(running.node_id, whom, without_pgpool=without_pgpool))
    return BY_SIGNAL + left.number


def going_on(node_id: "NodeId", whom: str, *, without_pgpool: bool) -> list[str]:
    """Return what a person who leaves has to know; `whom` the recovery goes on in."""
    option = " --without-pgpool" if without_pgpool else ""
    return [
        f"The recovery of node {node_id} goes on in {whom}; only this command has ended.",
        f"  see it again:  pgpool-recovery watch {node_id}{option}",
        f"  end it:        pgpool-recovery cancel {node_id}{option}",
    ]
