"""A process that does not depend on the terminal: no hang-up and no Ctrl-C reaches it."""

import os
import signal

from pgpool_recovery.domain.error import Cancelled
from pgpool_recovery.domain.target_state import TargetState


def leave_terminal() -> None:
    """Be a session of one's own, without input and output; SIGTERM raises Cancelled."""
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number != signal.SIGTERM else _end)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)


def _end(_number: int, _frame: object) -> None:
    raise Cancelled("the recovery was cancelled", detail="By SIGTERM.", target=TargetState.UNKNOWN)
