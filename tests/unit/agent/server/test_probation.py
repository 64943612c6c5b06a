"""What the agent does with a started server that was not accepted, when the runner is gone."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.journal import JOURNAL
from pgpool_recovery.agent.directory.place import workspace_of
from pgpool_recovery.agent.directory.swap import failed_starts
from pgpool_recovery.agent.server import probation as guard
from pgpool_recovery.agent.server.probation import Guard, stop_at_once
from pgpool_recovery.agent.server.standby import StandbyLook
from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.server import Guarded, Start, StopAtOnce

HISTORY = History(TimelineId(2), (Point(TimelineId(1), Lsn(0x4000)),))
STANDBY = StandbyFacts(is_in_recovery=True)
GUARDED = Guarded("postgres", None, HISTORY, 1.0)
IGNORES = (
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "signal.signal(signal.SIGQUIT, signal.SIG_DFL); print('runs', flush=True); time.sleep(60)"
)
"""Restores SIGQUIT, which a shell makes its background processes ignore, and no server does."""


class Host:
    """A host with one data directory, and the observations that are made there one by one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = False
        self.seen: list[StandbyFacts] = []
        self.stopped: list[StopAtOnce] = []
        monkeypatch.setattr(guard, "read_pid_file", lambda _data: "pid" if self.runs else None)
        monkeypatch.setattr(guard, "bin_directory_of", lambda *_: Path("/bin"))
        monkeypatch.setattr(guard, "stop_at_once", lambda asked, _stop: self.stop(asked))
        monkeypatch.setattr(StandbyLook, "take", lambda *_: self.look())
        monkeypatch.setattr(guard, "TICK_S", 0.01)

    def look(self) -> StandbyFacts:
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def stop(self, asked: StopAtOnce) -> None:
        self.stopped.append(asked)
        self.runs = False

    def settle(self, *seen: StandbyFacts, request: Start | None = None) -> bool:
        """Start a server and lose the runner; return whether the server was stopped."""
        watching = Guard()
        watching.watch(request or Start("/data", (), (), 1, GUARDED))
        self.runs, self.seen = True, list(seen)
        watching.settle(1)
        return bool(self.stopped)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


@pytest.mark.parametrize(
    ("facts", "is_stopped"),
    [
        (STANDBY, False),
        (replace(STANDBY, is_in_recovery=False), True),
        (replace(STANDBY, been_at=(Point(TimelineId(1), Lsn(0x4001)),)), True),
        (replace(STANDBY, been_at=(Point(TimelineId(1), Lsn(0x4000)),)), False),
        (replace(STANDBY, targets=("recovery_target_time",)), True),
        (replace(STANDBY, pause_state="paused"), False),  # It does no harm.
        (replace(STANDBY, is_in_recovery=False, problem="nobody gets in"), True),
    ],
)
def test_promise_10_left_alone(host: Host, facts: StandbyFacts, *, is_stopped: bool) -> None:
    assert host.settle(facts) is is_stopped


def test_server_that_accepts_no_sessions_yet_is_observed_again(host: Host) -> None:
    starting = StandbyFacts(None, sees_receiver=False, problem="the database system is starting up")
    assert host.settle(starting, starting, replace(STANDBY, is_in_recovery=False))


def test_server_that_is_never_seen_is_left_alone(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "LOOK_S", 0.05)
    assert not host.settle(StandbyFacts(None, sees_receiver=False, problem="starting up"))


def test_server_that_ran_before_is_not_watched(host: Host) -> None:
    host.runs = True
    assert not host.settle(replace(STANDBY, is_in_recovery=False))


def test_independent_node_is_not_guarded(host: Host) -> None:
    request = Start("/data", (), (), 1)
    assert not host.settle(replace(STANDBY, is_in_recovery=False), request=request)


def test_accepted_server_is_left_alone(host: Host) -> None:
    watching = Guard()
    watching.watch(Start("/data", (), (), 1, GUARDED))
    watching.believe()
    host.runs, host.seen = True, [replace(STANDBY, is_in_recovery=False)]
    watching.settle(1)
    assert not host.stopped


def test_failure_does_not_keep_the_agent_from_ending(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Unreachable("no")

    monkeypatch.setattr(guard, "stop_at_once", fail)
    assert not host.settle(replace(STANDBY, is_in_recovery=False))


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[Path]:
    """Yield the data directory of a server that ignores a fast stop."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with subprocess.Popen(
        [sys.executable, "-c", IGNORES], cwd=data, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"runs\n"
        (data / "postmaster.pid").write_text(f"{server.pid}\n{data}\n0\n5432\n/run\n\n\nready\n")
        yield data
        server.kill()


def test_server_that_does_not_end_in_time_is_stopped_in_immediate_mode(
    stubborn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_slow(*_: object) -> None:
        raise Undone("pg_ctl exited with status 1")

    monkeypatch.setattr(guard, "stop_server", too_slow)
    assert not stop_at_once(StopAtOnce(str(stubborn), (), 1, 2), Stop())
    assert failed_starts(stubborn) == 2
    assert stop_at_once(StopAtOnce(str(stubborn), (), 1, 0), Stop()), "it is gone"


@pytest.mark.parametrize("text", ['{"version": 2}', "[]"])
def test_promise_10_server_that_must_not_run_is_stopped_if_the_journal_cannot_be_read(
    stubborn: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A newer build wrote it, or a crash damaged it: the failure is not counted."""
    stopped: list[object] = []

    def stop_server(*words: object) -> None:
        stopped.append(words)
        (stubborn / "postmaster.pid").unlink()

    monkeypatch.setattr(guard, "stop_server", stop_server)
    workspace = workspace_of(stubborn)
    workspace.mkdir(mode=0o700)
    (workspace / JOURNAL).write_text(text)
    assert stop_at_once(StopAtOnce(str(stubborn), (), 1, 2), Stop())
    assert stopped
    assert (workspace / JOURNAL).read_text() == text
