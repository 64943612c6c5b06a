"""Whom the stage commands trust, and what ended them."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgpool_recovery import remote_start
from pgpool_recovery.cli import stage
from pgpool_recovery.cli.foreign_start import START
from pgpool_recovery.cli.log import RECORD_SECRET
from pgpool_recovery.cli.stage import (
    BACKEND_PID,
    CALLED_BY_SERVER,
    CALLER,
    HANDS_ON,
    _may_name_hosts,
    cause_of_cancel,
)
from pgpool_recovery.config.settings import ClusteringMode, PgpoolSettings, Settings
from pgpool_recovery.domain.error import Bug, Cancelled, RecoveryError
from pgpool_recovery.domain.event import pay_no_heed
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.standby import StreamFacts
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.history.record import RunRecord, Stage, on_record
from pgpool_recovery.install.stage_commands import _script
from pgpool_recovery.run import called_agent
from pgpool_recovery.talk.request.server import Started

INSTALLED = _script(START, "start the server of the recovered node", None)


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
    for _ in range(2):
        with pytest.raises(Cancelled) as raised:
            stage._remote_start(LATER)
        assert raised.value.target is TargetState.UNKNOWN
        assert "server2" in raised.value.message
        monkeypatch.setenv(stage.HANDED_ON, "{}")


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


class FirstStage:
    """A first stage whose plan is carried out; says whether it starts the server, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, own_data: Path) -> None:
        self.method, self.settings, self.own_data = Method.CATCH_UP, Settings(), own_data
        self.left: list[TargetState | str] = []
        self.failure: RecoveryError | None = None
        self.script = INSTALLED
        self.mode = 0o700
        monkeypatch.setenv(HANDS_ON, "on")
        monkeypatch.setenv(RECORD_SECRET, "secret")
        monkeypatch.setattr(remote_start, "start_prepared", self._start)

    def starts(self) -> bool:
        (self.own_data / START).write_bytes(self.script)
        (self.own_data / START).chmod(self.mode)
        told: Any = SimpleNamespace(emit=self._emit, goes_on=lambda state, _: self._go_on(state))
        target = Target("server2", "/data")
        proceed = stage.StartAtOnce(target, self.own_data, self.settings, told)
        plan: Any = SimpleNamespace(method=self.method, fetch_ahead=None)
        never: Any = None
        proceed(plan, never, never, never)
        return proceed.proven is not None

    def _start(self, *_: object) -> tuple[Started, StreamFacts]:
        if self.failure is not None:
            raise self.failure
        started = Started(False, "/bin", True, "pgpool_node_1", None, 5432, None)  # noqa: FBT003
        stream = StreamFacts(
            "streaming", "pgpool_node_1", "node1", None, None, walsender="7 since 1"
        )
        return started, stream

    def _emit(self, _event: object) -> None:
        self.left.append("told")

    def _go_on(self, state: TargetState) -> None:
        self.left.append(state)


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FirstStage:
    return FirstStage(monkeypatch, tmp_path)


def test_server_that_only_lacks_wal_is_started_within_the_first_stage(first: FirstStage) -> None:
    """A cancel at any moment finds the state of that moment on record."""
    assert first.starts()
    assert first.left == [TargetState.COPIED, TargetState.STARTED, "told"]


@pytest.mark.parametrize("method", [one for one in Method if one is not Method.CATCH_UP])
def test_other_methods_leave_the_start_to_the_remote_start(
    first: FirstStage, method: Method
) -> None:
    first.method = method
    assert not first.starts()
    assert first.left == []


@pytest.mark.parametrize(
    "script",
    [
        b'#!/bin/sh\nprepare && exec pgpool-recovery pgpool_remote_start "$@"\n',
        INSTALLED.replace(b"exec", b"prepare\nexec"),
        INSTALLED.replace(b"exec ", b"exec prepare; "),
        INSTALLED + b"finish\n",
        INSTALLED.replace(b"pgpool_remote_start", b"recovery_1st_stage"),
    ],
)
def test_start_is_left_to_a_script_that_does_more_than_ours(
    first: FirstStage, script: bytes
) -> None:
    """It may prepare something before."""
    first.script = script
    assert not first.starts()
    assert first.left == []


def test_start_is_left_to_a_script_with_other_settings_too_if_it_is_ours(
    first: FirstStage, tmp_path: Path
) -> None:
    settings = tmp_path / "some settings.toml"
    first.script = _script(START, "start the server", settings)
    assert first.starts()


def test_script_that_cannot_run_is_not_replaced(first: FirstStage) -> None:
    first.mode = 0o600
    assert not first.starts()


@pytest.mark.parametrize("variable", [RECORD_SECRET, HANDS_ON])
def test_start_is_left_to_a_call_by_hand_or_by_a_script(
    first: FirstStage, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A script that calls our first stage may have more to do before the server starts."""
    monkeypatch.delenv(variable)
    assert not first.starts()


def test_where_all_nodes_are_written_to_the_order_stays(first: FirstStage) -> None:
    mode = ClusteringMode.NATIVE_REPLICATION
    first.settings = Settings(pgpool=PgpoolSettings(backend_clustering_mode=mode))
    assert not first.starts()


def test_start_that_fails_leaves_nothing_to_go_on_with(first: FirstStage) -> None:
    first.failure = RecoveryError("no", target=TargetState.STOPPED)
    with pytest.raises(RecoveryError):
        first.starts()
    assert first.left == [TargetState.COPIED]


@pytest.mark.parametrize(
    "states", [[], [TargetState.COPIED], [TargetState.COPIED, TargetState.STARTED]]
)
def test_cancel_after_the_steps_reports_what_was_reached(
    monkeypatch: pytest.MonkeyPatch, states: list[TargetState]
) -> None:
    recorded: list[RecoveryError] = []
    monkeypatch.setattr(RunRecord, "open", lambda *_: None)
    monkeypatch.setattr(RunRecord, "end", lambda _, error, **__: recorded.append(error))
    called = Stage(Target("server2", "/data", NodeId(1)), leads_to="copied")

    def carry_out() -> None:
        with on_record(called, Settings(), lambda _name: pay_no_heed) as told:
            for state in states:
                told.goes_on(state, "start the server")
            raise CANCELLED

    with pytest.raises(Cancelled) as raised:
        carry_out()
    assert raised.value.target is [TargetState.UNTOUCHED, *states][-1]
    assert [error.target for error in recorded] == [raised.value.target]
