"""How the start of a server ends, and which failures are counted against its data."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.entry import VERSION
from pgpool_recovery.agent.directory.journal import JOURNAL
from pgpool_recovery.agent.directory.place import workspace_of
from pgpool_recovery.agent.directory.swap import failed_starts
from pgpool_recovery.agent.server import start as module
from pgpool_recovery.agent.server.start import start
from pgpool_recovery.domain.error import Cancelled, Incomplete, RecoveryError, Refused, Unverified
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.pidfile import PidFile
from pgpool_recovery.host.start_method import PG_CTL, StartWay
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.server import Start
from tests.harness.until import until

CORRUPT = "PANIC:  could not locate a valid checkpoint record"
NO_ROOM = f"PANIC:  could not write to file: {os.strerror(errno.ENOSPC)}"
RUNS = PidFile(1, 5432, "/nowhere", is_ready=False)
IS_READY = PidFile(1, 5432, "/nowhere", is_ready=True)


class Node:
    """A data directory whose server is a shell script."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data = directory / "data"
        self.control = self.data / "global" / "pg_control"
        self.control.parent.mkdir(parents=True)
        self.control.touch()
        (self.data / "PG_VERSION").write_text("15\n")
        os.utime(self.control, (1, 1))
        self._patch = monkeypatch
        monkeypatch.setattr(module, "bin_directory_of", lambda *_: directory)
        monkeypatch.setattr(module, "setting_asker", lambda *_: lambda _name: None)
        self.is_seen_as(lambda: None)

    def is_seen_as(self, server: Callable[[], PidFile | None]) -> None:
        self._patch.setattr(module, "read_pid_file", lambda _data: server())

    def start(
        self,
        script: str = "",
        stop: Stop | None = None,
        timeout_s: float = 60,
        *,
        does_more: bool = False,
    ) -> None:
        log = str(self.data / "startup.log")
        argv = ("/bin/sh", "-c", script, "sh", str(self.control), log)
        way = StartWay(PG_CTL, argv, log, ("false",), does_more=does_more)
        self._patch.setattr(module, "find_way", lambda *_: way)
        start(Start(str(self.data), (), (), timeout_s), stop or Stop(), lambda _line: None)

    def fails(self, said: str, *, reaches_data: bool = True) -> RecoveryError:
        """Start a server that says something and ends, and return the failure."""
        script = f'echo "{said}" >> "$2"; exit 1'
        with pytest.raises(Incomplete) as caught:
            self.start(f'touch "$1"; {script}' if reaches_data else script)
        assert caught.value.message == "the server ended before it accepted connections"
        assert said in (caught.value.detail or "")
        assert caught.value.target is TargetState.COPIED
        return caught.value


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


def test_server_that_ended_after_it_had_used_its_data_is_counted(node: Node) -> None:
    for count in (1, 2):
        node.fails(CORRUPT)
        assert failed_starts(node.data) == count


def test_server_that_ended_before_it_used_its_data_is_not_counted(node: Node) -> None:
    node.fails("FATAL:  could not load pg_hba.conf", reaches_data=False)
    assert failed_starts(node.data) == 0


def test_full_disk_is_reported_and_not_counted(node: Node) -> None:
    failure = node.fails(NO_ROOM)
    assert (failure.hint or "").startswith("Make room on ")
    assert failed_starts(node.data) == 0


def test_cause_is_reported_if_it_could_not_be_counted(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(data))

    monkeypatch.setattr(module, "note_failed_start", fail)
    detail = node.fails(CORRUPT).detail or ""
    why = f'could not write "{node.data}": {os.strerror(errno.EROFS)}'
    assert detail.endswith(f"\nThe failed start could not be recorded: {why}.")


def spoil_journal(node: Node) -> Path:
    workspace = workspace_of(node.data)
    workspace.mkdir(mode=0o700)
    journal = workspace / JOURNAL
    journal.write_text(f'{{"version": {VERSION + 1}}}')
    return journal


def test_nothing_is_started_if_the_journal_cannot_be_read(node: Node) -> None:
    """Otherwise the slot of the old server would not be known once the new one runs."""
    journal, before = spoil_journal(node), node.control.stat().st_mtime_ns
    with pytest.raises(Refused, match="was written by a newer version") as caught:
        node.start('touch "$1"')
    assert str(journal) in caught.value.message
    assert node.control.stat().st_mtime_ns == before


def test_cause_is_reported_if_the_journal_can_no_longer_be_read(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = spoil_journal(node)
    monkeypatch.setattr(module, "former_slot", lambda _data: None)
    detail = node.fails(CORRUPT).detail or ""
    why = f"{journal} was written by a newer version of pgpool-recovery"
    assert detail.endswith(f"\nThe failed start could not be recorded: {why}.")


def test_server_that_makes_no_progress_is_left_running(node: Node) -> None:
    node.is_seen_as(lambda: RUNS)
    with pytest.raises(Unverified) as caught:
        node.start(timeout_s=0.3)
    assert caught.value.target is TargetState.STARTED
    assert "its replay has made no progress for 0.3 s" in (caught.value.detail or "")
    assert failed_starts(node.data) == 0


@pytest.mark.parametrize(
    ("server", "target"), [(RUNS, TargetState.STARTED), (None, TargetState.COPIED)]
)
def test_cancelled_start_says_whether_the_server_runs(
    node: Node, server: PidFile | None, target: TargetState
) -> None:
    node.is_seen_as(lambda: server)
    stop = Stop()
    stop.ask()
    with pytest.raises(Cancelled) as caught:
        node.start("sleep 60", stop)
    assert caught.value.target is target


@pytest.mark.parametrize("does_more", [False, True])
def test_command_that_may_do_more_than_start_the_server_is_waited_for(
    node: Node, monkeypatch: pytest.MonkeyPatch, *, does_more: bool
) -> None:
    """Ours only poll whether the server accepts connections, which is done here as well."""
    monkeypatch.setattr(module, "_accepts", lambda _server: True)
    started, more, goes_on = (node.data / name for name in ("started", "more", "goes_on"))
    node.is_seen_as(lambda: IS_READY if started.exists() else None)
    if does_more:
        goes_on.touch()
    script = f"touch {started}; until [ -e {goes_on} ]; do sleep 0.01; done; touch {more}"
    node.start(script, does_more=does_more)
    assert more.exists() == does_more
    goes_on.touch()
    until(more.exists, within_s=20, what="the command to come to its end")
