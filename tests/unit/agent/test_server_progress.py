"""A server that replays or does a checkpoint gets on; one that waits or is paused stands still."""

from pathlib import Path

import pytest

from pgpool_recovery.agent import server_process, server_progress
from pgpool_recovery.agent.pidfile import PidFile
from pgpool_recovery.agent.server_progress import ServerProgress


class Host:
    """The process table of a host with one server."""

    def __init__(self, directory: Path) -> None:
        self._processes = directory / "proc"
        self.data = directory / "data"
        (self.data / "global").mkdir(parents=True)
        (self.data / "global" / "pg_control").touch()

    def put(self, pid: int, title: str, read: int = 0, switches: int = 0) -> None:
        process = self._processes / str(pid)
        process.mkdir(parents=True, exist_ok=True)
        (process / "stat").write_text(f"{pid} (postgres) S 10 1 1")
        (process / "cmdline").write_text(f"{title}\0\0")
        (process / "io").write_text(f"rchar: {read}\nsyscr: 1\nwrite_bytes: 0\n")
        (process / "status").write_text(f"Name:\tx\nvoluntary_ctxt_switches:\t{switches}\n")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(server_process, "PROCESSES", tmp_path / "proc")
    running = PidFile(10, 5432, "/run", is_ready=False)
    monkeypatch.setattr(server_progress, "read_pid_file", lambda _data: running)
    made.put(11, "postgres: startup")
    return made


def moves(host: Host, pid: int, before: tuple[str, int, int], after: tuple[str, int, int]) -> bool:
    host.put(pid, before[0], before[1], before[2])
    progress = ServerProgress(host.data)
    progress.moved = -1000.0
    progress.look()
    assert progress.stands_still_s() > 1000
    host.put(pid, after[0], after[1], after[2])
    progress.look()
    return progress.stands_still_s() < 1000


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("startup recovering 01", 1, 1), ("startup recovering 02", 1, 1), True),
        (("startup recovering 01", 1, 1), ("startup recovering 01", 2, 1), True),
        (("startup recovering 01", 1, 1), ("startup recovering 01", 1, 9), False),
        (("startup waiting for 01", 1, 1), ("startup waiting for 01", 5, 9), False),
        (("15/main: startup recovering 01", 1, 1), ("15/main: startup recovering 01", 2, 1), True),
        (
            ("checkpointer performing end-of-recovery checkpoint", 1, 1),
            ("checkpointer performing end-of-recovery checkpoint", 1, 2),
            True,
        ),
        (
            ("checkpointer performing shutdown restartpoint", 1, 1),
            ("checkpointer performing shutdown restartpoint", 1, 1),
            False,
        ),
        (("checkpointer", 1, 1), ("checkpointer", 5, 9), False),
        (("walsender repl streaming 0/1", 1, 1), ("walsender repl streaming 0/2", 7, 9), False),
    ],
)
def test_what_is_progress(
    host: Host, before: tuple[str, int, int], after: tuple[str, int, int], *, expected: bool
) -> None:
    titled = [(f"postgres: {title}", read, switches) for title, read, switches in (before, after)]
    assert moves(host, 12, titled[0], titled[1]) is expected


def test_control_file_that_is_written_is_progress(host: Host) -> None:
    progress = ServerProgress(host.data)
    progress.moved = -1000.0
    (host.data / "global" / "pg_control").unlink()
    progress.look()
    assert progress.stands_still_s() < 1000
