"""The running server of a data directory is the one that its postmaster.pid names."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.host.pidfile import PidFile, read_pid_file
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME as NAME
from tests.unit.other_server import NOBODY


@pytest.fixture
def pid(tmp_path: Path) -> Iterator[int]:
    """Yield a process that works in the directory."""
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        yield process.pid
        process.kill()


def text(pid: int) -> str:
    return f"{pid}\n/data\n1795791600\n5433\n/run/x\n*\n  1 2\nready   \n"


def test_server_that_runs_is_found(tmp_path: Path, pid: int) -> None:
    assert read_pid_file(tmp_path) is None
    assert read_pid_file(tmp_path / "nowhere") is None
    (tmp_path / NAME).write_text(text(pid))
    found = read_pid_file(tmp_path)
    assert found is not None
    assert vars(found) == vars(PidFile(pid, 5433, "/run/x", is_ready=True))
    (tmp_path / NAME).write_text(text(os.getpid()))  # Its working directory is another one.
    assert read_pid_file(tmp_path) is None


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(Refused, match="is not a regular file"):
        read_pid_file(tmp_path)


def test_link_is_not_followed(tmp_path: Path, pid: int) -> None:
    (tmp_path / "other").write_text(text(pid))
    (tmp_path / NAME).symlink_to("other")
    with pytest.raises(Refused, match="is a symbolic link"):
        read_pid_file(tmp_path)


def test_file_that_is_too_long_is_refused(tmp_path: Path, pid: int) -> None:
    (tmp_path / NAME).write_text(text(pid) + "x" * 10_000)
    with pytest.raises(Refused, match="is too long"):
        read_pid_file(tmp_path)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("mode", [0o700, 0o1777])
def test_promise_13_file_of_another_user_is_not_trusted(
    tmp_path: Path, pid: int, mode: int
) -> None:
    (tmp_path / NAME).write_text(text(pid))
    os.chown(tmp_path / NAME, NOBODY, NOBODY)
    tmp_path.chmod(mode)
    with pytest.raises(Refused, match="belongs to nobody"):
        read_pid_file(tmp_path)
    tmp_path.chmod(0o700)
