"""A server that replays or checkpoints makes progress; one that waits or is paused does not."""

import re
import time
from pathlib import Path

import pytest

from pgpool_recovery.agent.server import progress as server_progress
from pgpool_recovery.agent.server.progress import WORKS_BYTES_S, ServerProgress
from pgpool_recovery.files.process_table import processes
from pgpool_recovery.host import server_process
from pgpool_recovery.host.pidfile import PidFile

State = tuple[str, int, int]
GIB = 2**30
STILL_S = 1000
ENOUGH = STILL_S * (WORKS_BYTES_S + 100)


class Host:
    """The process table of a host with one server."""

    def __init__(self, directory: Path) -> None:
        self._processes = directory / "proc"
        self._reread = 0
        self.data = directory / "data"
        (self.data / "global").mkdir(parents=True)
        (self.data / "global" / "pg_control").touch()

    def put(self, pid: int, title: str, moved: int = 0, switches: int = 0) -> None:
        """Add a process that has moved so many bytes, and whose children move more each time."""
        process = self._processes / str(pid)
        (process / "task" / str(pid)).mkdir(parents=True, exist_ok=True)
        (process / "stat").write_text(f"{pid} (postgres) S 10 1 1")
        (process / "cmdline").write_text(f"{title}\0\0")
        self._reread += GIB
        counts = f"rchar: {self._reread}\nsyscr: 1\nwchar: {moved}\nwrite_bytes: 0\n"
        (process / "task" / str(pid) / "io").write_text(counts)
        of_children = self._reread if "startup" in title else 0
        (process / "io").write_text(f"{counts}read_bytes: {of_children}\n")
        (process / "status").write_text(f"Name:\tx\nvoluntary_ctxt_switches:\t{switches}\n")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(server_process, "processes", lambda: processes(tmp_path / "proc"))
    running = PidFile(10, 5432, "/run", is_ready=False)
    monkeypatch.setattr(server_progress, "read_pid_file", lambda _data: running)
    made.put(11, "postgres: startup")
    return made


def moves(host: Host, pid: int, *states: State) -> bool:
    """Return whether the last state of a process shows progress over the others."""
    host.put(pid, *states[0])
    progress = ServerProgress(host.data)
    for state in states[1:]:
        progress.moved = time.monotonic() - STILL_S
        progress.look()
        assert progress.stands_still_s() >= STILL_S
        host.put(pid, *state)
        progress.look()
    return progress.stands_still_s() < STILL_S


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("startup recovering 01", 1, 1), ("startup recovering 02", 1, 1), True),
        (("startup recovering 01", 1, 1), ("startup waiting for 02", 1, 1), True),
        (("startup recovering 01", 1, 1), ("startup waiting for 01", 1, 1), False),
        (("startup recovering 01", 1, 1), ("startup recovering 01", ENOUGH, 1), True),
        (("startup recovering 01", 1, 1), ("startup recovering 01", STILL_S * 16384, 9), False),
        (("startup", 1, 1), ("startup", ENOUGH, 1), True),
        (("15/main: startup recovering 01", 1, 1), ("15/main: startup recovering 02", 1, 1), True),
        (
            ("checkpointer performing end-of-recovery checkpoint", 1, 1),
            ("checkpointer performing end-of-recovery checkpoint", 1, 2),
            True,
        ),
        (
            ("checkpointer performing end-of-recovery checkpoint", 1, 1),
            ("checkpointer performing end-of-recovery checkpoint", 2, 1),
            True,
        ),
        (
            ("checkpointer performing shutdown restartpoint", 1, 1),
            ("checkpointer performing shutdown restartpoint", 1, 1),
            False,
        ),
        (("checkpointer", 1, 1), ("checkpointer", ENOUGH, 9), False),
        (
            ("walsender repl streaming 0/1", 1, 1),
            ("walsender repl streaming 0/2", ENOUGH, 9),
            False,
        ),
    ],
)
def test_what_is_progress(host: Host, before: State, after: State, *, expected: bool) -> None:
    pid = 11 if "startup" in before[0] else 12
    assert moves(host, pid, titled(*before), titled(*after)) is expected


def titled(title: str, moved: int = 1, switches: int = 1, timeline: int = 1) -> State:
    """Return the state of a process, with the name of a segment instead of its number."""
    name = re.sub(r"\d\d$", lambda number: f"{timeline:08X}{int(number[0]):016X}", title)
    return f"postgres: {name}", moved, switches


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (["recovering 05", "waiting for 05", "recovering 05"], False),
        (["recovering 05", "waiting for 06", "recovering 05", "waiting for 06"], False),
        (["recovering 07", "recovering 03", "recovering 04"], True),
        (["recovering 07", "recovering 03", "recovering 04", "recovering 03"], False),
    ],
)
def test_retries_are_not_progress(host: Host, segments: list[str], *, expected: bool) -> None:
    """Replay begins before its checkpoint; a record may lie in two segments."""
    states = [titled(f"startup {segment}") for segment in segments]
    assert moves(host, 11, *states) is expected


def test_segment_of_another_timeline_is_not_progress(host: Host) -> None:
    states = [titled("startup waiting for 05", timeline=timeline) for timeline in (1, 2)]
    assert not moves(host, 11, *states)


def test_control_file_that_is_written_is_progress(host: Host) -> None:
    progress = ServerProgress(host.data)
    progress.moved = time.monotonic() - STILL_S
    (host.data / "global" / "pg_control").unlink()
    progress.look()
    assert progress.stands_still_s() < STILL_S
