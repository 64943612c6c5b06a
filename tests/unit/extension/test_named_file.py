"""A file that an SQL caller names is read without waiting and up to a limit, or not at all."""

import os
import socket
from pathlib import Path

import pytest
from pgpool_recovery_server.named_file import read_file
from pgpool_recovery_server.pg_ctl import read_pid_file

from pgpool_recovery.in_server.pid_file import is_server_of

RUNNING = "{}\n/data\n1700000000\n5432\n/tmp\n*\n  1 2\nready   \n"


def test_regular_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_file(str(file), 10) == b"12345"
    assert read_file(str(file), 3) == b"123"
    assert read_file("/proc/self/status", 4) == b"Name"


def test_what_is_no_regular_file_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    monkeypatch.delattr(os, "open")
    for name in ("fifo", "link", "socket", "missing", "file/file", "a\0b", "é" * 300, "."):
        assert read_file(str(tmp_path / name), 10) is None
    assert read_file("/dev/zero", 10) is None


def test_fifo_that_takes_the_place_of_the_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    seen = os.lstat(tmp_path / "file")
    monkeypatch.setattr(os, "lstat", lambda _path: seen)
    assert read_file(str(tmp_path / "fifo"), 10) is None
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_file(str(tmp_path / "link"), 10) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1\n",
        RUNNING.format("").encode(),
        RUNNING.format("x").encode(),
        RUNNING.format("1" * 11).encode(),
        RUNNING.format("\u0661").encode(),
        RUNNING.format("1\0").encode(),
        RUNNING.format("1").replace("/tmp", "/t\0mp").encode(),
        RUNNING.format("1").replace("5432", "-1").encode(),
        RUNNING.format("1")[:-10].encode(),
        RUNNING.format("1").replace("/tmp", "/" + "t" * 9000).encode(),
        bytes(range(256)) * 100,
    ],
)
def test_pid_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "postmaster.pid").write_bytes(content)
    found = read_pid_file(str(tmp_path))
    assert found is None or not found.is_ready


def test_pid_file_of_a_process_that_works_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "postmaster.pid").write_text(RUNNING.format(os.getpid()))
    found = read_pid_file(str(tmp_path))
    assert found is not None
    assert found.is_ready
    assert not is_server_of(found.pid, bytes(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert is_server_of(found.pid, bytes(tmp_path))
    assert not is_server_of(9999999999, bytes(tmp_path))
