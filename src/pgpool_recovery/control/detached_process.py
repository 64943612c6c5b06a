"""Detach a process from the terminal, so that no hang-up and no Ctrl-C reaches it."""

import os
import signal

from pgpool_recovery.domain.error import Cancelled
from pgpool_recovery.domain.target_state import TargetState


def leave_terminal() -> None:
    """Start a new session, without input and output; from then on SIGTERM raises Cancelled."""
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number != signal.SIGTERM else _end)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)


def _end(_number: int, _frame: object) -> None:
    raise Cancelled("the recovery was cancelled", detail="By SIGTERM.", target=TargetState.UNKNOWN)
