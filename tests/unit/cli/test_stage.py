"""Whom the stage commands believe, and what ended them."""

import os
import signal
import subprocess
import sys

import pytest

from pgpool_recovery.cli.stage import (
    BACKEND_PID,
    CALLED_BY_SERVER,
    CALLER,
    _may_name_hosts,
    cause_of_cancel,
)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({CALLED_BY_SERVER: "x", CALLER: "superuser"}, True),
        ({CALLED_BY_SERVER: "x", CALLER: "role"}, False),
        ({CALLED_BY_SERVER: "x"}, False),
    ],
)
def test_hosts_are_named_by_a_superuser_or_by_hand(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, expected: bool
) -> None:
    for name in (CALLED_BY_SERVER, CALLER):
        monkeypatch.delenv(name, raising=False)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert _may_name_hosts() == expected


def test_cancel_says_whether_its_session_had_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BACKEND_PID, raising=False)
    assert cause_of_cancel(signal.SIGTERM) == "By SIGTERM."
    monkeypatch.setenv(BACKEND_PID, str(os.getpid()))
    assert cause_of_cancel(signal.SIGINT) == "By SIGINT."
    with subprocess.Popen([sys.executable, "-c", ""]) as session:
        os.waitid(os.P_PID, session.pid, os.WEXITED | os.WNOWAIT)
        monkeypatch.setenv(BACKEND_PID, str(session.pid))
        said = cause_of_cancel(signal.SIGINT)  # Nobody has collected it yet.
    assert said.startswith("By SIGINT, because the session that called it has ended")
    assert cause_of_cancel(signal.SIGINT) == said


CANCELLED_TWICE = """
import os, signal
from pgpool_recovery.cli.stage import _cancel_by_signal
from pgpool_recovery.domain.error import Cancelled
_cancel_by_signal()
try:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    while True:
        pass
except Cancelled as cancelled:
    os.kill(os.getpid(), signal.SIGTERM)
    print(cancelled.detail)
"""


def test_second_signal_writes_no_traceback() -> None:
    """Both come at once: the supervisor sends SIGTERM a second after SIGINT, and both may wait."""
    done = subprocess.run(
        [sys.executable, "-c", CANCELLED_TWICE], capture_output=True, text=True, check=False
    )
    assert done.stdout in ("By SIGINT.\n", "By SIGTERM.\n")
    assert done.stderr == ""
    assert done.returncode == 0
