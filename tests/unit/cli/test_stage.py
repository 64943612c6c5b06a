"""Whom the stage commands trust, and what ended them."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from pgpool_recovery.cli import stage
from pgpool_recovery.cli.stage import (
    BACKEND_PID,
    CALLED_BY_SERVER,
    CALLER,
    _may_name_hosts,
    cause_of_cancel,
)
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Bug, Cancelled, RecoveryError
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.history.record import RunRecord
from pgpool_recovery.run import called_agent


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
        said = cause_of_cancel(signal.SIGINT)  # Its parent has not waited for it yet.
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
    """The supervisor sends SIGTERM a second after SIGINT; both may be pending at the same time."""
    done = subprocess.run(
        [sys.executable, "-c", CANCELLED_TWICE], capture_output=True, text=True, check=False
    )
    assert done.stdout in ("By SIGINT.\n", "By SIGTERM.\n")
    assert done.stderr == ""
    assert done.returncode == 0


class Ended:
    """Ends stages while the name server is queried for the target's host, and keeps the record."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recorded: RecoveryError | None = None
        self._patch = monkeypatch
        monkeypatch.setattr(stage, "_read", lambda *_: Settings())
        monkeypatch.setattr(RunRecord, "end", lambda _, error, **__: self._record(error))
        self.left(None)

    def left(self, state: TargetState | None) -> None:
        """Make this the state on record."""
        self._patch.setattr(RunRecord, "open", lambda record, *_: setattr(record, "left", state))

    def by(self, error: BaseException, function: Any, words: list[str]) -> RecoveryError:
        """Return what a stage reports when this ends it."""

        def ask(_host: str) -> bool:
            raise error

        self._patch.setattr(called_agent, "is_this_host", ask)
        with pytest.raises(RecoveryError) as raised:
            function(words)
        return raised.value

    def _record(self, error: RecoveryError | None) -> None:
        self.recorded = error


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Ended:
    return Ended(monkeypatch)


FIRST, LATER = ["/own", "server2", "/data", "5432", "1"], ["server2", "/data"]
CANCELLED = Cancelled("the recovery was cancelled")


@pytest.mark.parametrize(
    ("function", "words"), [(stage._remote_start, LATER), (stage._second_stage, FIRST)]
)
@pytest.mark.parametrize(
    ("left", "told"), [(None, TargetState.UNKNOWN), (TargetState.COPIED, TargetState.COPIED)]
)
def test_cancel_of_a_call_leaves_what_an_earlier_stage_left(
    ended: Ended, function: Any, words: list[str], left: TargetState | None, told: TargetState
) -> None:
    ended.left(left)
    error = ended.by(CANCELLED, function, words)
    name = "node 1" if words == FIRST else "server2"
    assert error.message.startswith(f"{name}")
    assert error.message.endswith(": the recovery was cancelled")
    assert error.target is told
    assert ended.recorded is not None
    assert ended.recorded.as_record() == error.as_record()


def test_cancel_of_the_first_call_leaves_the_target_untouched(ended: Ended) -> None:
    error = ended.by(CANCELLED, stage._first_stage, FIRST)
    assert error.target is TargetState.UNTOUCHED
    assert ended.recorded is error
    ended.recorded = None
    assert ended.by(CANCELLED, stage._plan, FIRST).message == error.message
    assert ended.recorded is None


def test_bug_in_a_call_is_on_record(ended: Ended) -> None:
    error = ended.by(KeyError("x"), stage._remote_start, LATER)
    assert isinstance(error, Bug)
    assert error.message.endswith(": bug in pgpool-recovery: KeyError")
    assert error.target is TargetState.UNKNOWN
    assert ended.recorded is not None


def test_cancel_between_the_call_and_the_record(
    ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The imports of a stage in between take a tenth of a second."""

    def cancel(*_: object) -> None:
        raise CANCELLED

    monkeypatch.setattr("pgpool_recovery.metrics.publish.publishing", cancel)
    monkeypatch.setattr(called_agent, "AgentProcess", lambda _: None)
    monkeypatch.setattr(called_agent, "is_this_host", lambda _: True)
    with pytest.raises(Cancelled) as raised:
        stage._remote_start(LATER)
    assert raised.value.target is TargetState.UNKNOWN
    assert "server2" in raised.value.message


SLOW_NAME_SERVER = """
import os, signal, socket, sys, threading, time
from pgpool_recovery.cli import stage
from pgpool_recovery.config.settings import Settings
stage._read = lambda *_: Settings()
def ask(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
socket.getaddrinfo = ask
sys.exit(stage.run_stage("pgpool_remote_start", ["server2", "/data"]))
"""


def test_cancel_while_the_name_server_is_asked() -> None:
    """The server that has the record cannot be reached, either."""
    environment = {**os.environ, "PGHOST": "/nonexistent", "PGCONNECT_TIMEOUT": "2"}
    done = subprocess.run(
        [sys.executable, "-c", SLOW_NAME_SERVER],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=50,
    )
    assert done.returncode == Cancelled.exit_status
    assert "the recovery is not recorded" in done.stdout
    assert "the recovery was cancelled" in done.stderr
    assert "server2" in done.stderr
    assert f"TARGET:  {TargetState.UNKNOWN}" in done.stderr
