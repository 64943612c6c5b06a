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
