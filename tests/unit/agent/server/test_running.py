"""What a standby received past the point where its primary left the timeline may be no record."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from pgpool_recovery.agent.server import running
from pgpool_recovery.agent.server.running import ask_running
from pgpool_recovery.domain.error import Cancelled
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId
from pgpool_recovery.facts.running import Running, RunningServer, Silent
from pgpool_recovery.host.program import Completed
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.in_server.pid_file import PidFile
from pgpool_recovery.talk.request.server import AskRunning
from tests.unit.programs.recorded import on_each_major, recorded

ONE = TimelineId(1)
LEFT = Lsn(0x5000028)
SERVER = RunningServer(
    login={},
    is_in_recovery=True,
    is_paused=False,
    timeline=ONE,
    histories=(),
    receiving=None,
    received=Lsn(LEFT + 100),
    replayed=LEFT,
    is_torn=False,
    recovery_target_timeline="latest",
    sources={},
)


def ask(
    data: Path, monkeypatch: pytest.MonkeyPatch, completed: Completed | None, stop: Stop
) -> Running:
    """Ask a server that has more than the primary, while pg_waldump ends like that."""

    def dump(*_arguments: object) -> Completed | None:
        stop.check()
        return completed

    own = PidFile(4711, 5432, "/run", is_ready=True)
    monkeypatch.setattr(running, "read_pid_file", lambda _data: own)
    monkeypatch.setattr(running, "_connect", lambda *_: nullcontext())
    monkeypatch.setattr(running, "_said", lambda *_: SERVER)
    monkeypatch.setattr(running, "dump_records", dump)
    history = History(TimelineId(2), (Point(ONE, LEFT),))
    return ask_running(AskRunning(str(data), "postgres", None, "/bin", history), stop, 5)


def ended(status: int, output: str) -> Completed:
    return Completed(("/bin/pg_waldump",), status, output)


@on_each_major
def test_beginning_of_a_record_is_torn(
    major: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = recorded(major, "pg_waldump_no_record.txt")
    found = ask(tmp_path, monkeypatch, ended(1, said), Stop())
    assert isinstance(found, RunningServer)
    assert found.is_torn


@pytest.mark.parametrize("completed", [ended(0, "rmgr: Heap …"), None], ids=["record", "no WAL"])
def test_whole_record_is_not(
    completed: Completed | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(tmp_path, monkeypatch, completed, Stop()) == SERVER


def test_failure_of_pg_waldump_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would look like a whole record."""
    said = 'pg_waldump: error: could not read file "00000001000000000000000A": read 0 of 8192'
    found = ask(tmp_path, monkeypatch, ended(1, said), Stop())
    assert isinstance(found, Silent)
    assert said in found.problem


def test_cancelling_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(Cancelled):
        ask(tmp_path, monkeypatch, None, stop)
