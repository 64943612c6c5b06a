"""Each error of the system has a hint with the filesystem, the host and the owner of the file."""

import errno
import os
import pwd
import socket
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import NoRoom, Undone, error_of_record
from pgpool_recovery.host import filesystem
from pgpool_recovery.host.filesystem import can_rename, mount_point_of
from pgpool_recovery.host.program import Completed
from pgpool_recovery.host.system_failure import (
    advice,
    advice_on_log,
    failure_of_program,
    failure_of_system,
)

HOST = socket.gethostname()


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that is a mount point according to the kernel's list."""
    point = tmp_path / "disk"
    point.mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:1 /x {point} rw - ext4 /dev/sda1 rw\n"
    )
    monkeypatch.setattr(filesystem, "MOUNTS", mounts)
    return point


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, f"Make room on the filesystem mounted at DISK of {HOST}, then recover"),
        (
            errno.EDQUOT,
            f"Make room on the filesystem mounted at DISK of {HOST}, or raise the quota",
        ),
        (errno.EROFS, f"the kernel's log of {HOST} (dmesg) for why the filesystem mounted at DISK"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EIO, "(dmesg): the disk below the filesystem mounted at DISK may be failing"),
        (errno.EBUSY, "findmnt"),
        (errno.EXDEV, "part of an image"),
    ],
)
def test_hint_for_each_error(mounted: Path, number: int, says: str) -> None:
    file = mounted / "data" / "pg_wal"
    error = OSError(number, os.strerror(number), str(file))
    said = failure_of_system(error)
    assert os.strerror(number) in said.message
    assert str(file) in said.message
    assert says.replace("DISK", str(mounted)) in (said.hint or "")
    is_disk = number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
    assert type(error_of_record(said.as_record())) is (NoRoom if is_disk else Undone)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_hint_for_a_file_of_another_user_is_chown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    file = tmp_path / "server.key"
    file.touch()
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert f"The agent runs as {own} on {HOST}" in (advice(number, file) or "")
    other = next(user for user in pwd.getpwall() if user.pw_uid != os.geteuid())
    monkeypatch.setattr(os, "geteuid", lambda: other.pw_uid)
    said = advice(number, file) or ""
    assert said.startswith(f"{file} belongs to {own}, and the agent runs as {other.pw_name}")
    assert "(chown)" in said
    assert "empty" not in said, "what cannot be written is no reason to remove it"


def test_error_without_a_name_has_the_directory_in_use(mounted: Path) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    said = failure_of_system(error, mounted)
    assert str(mounted) in said.message
    assert f"mounted at {mounted} of" in (said.hint or "")
    reset = OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    assert str(mounted) not in failure_of_system(reset, mounted).message


def test_lack_of_inodes_is_not_lack_of_bytes(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(mounted)
    fields = list(real)
    fields[5:8] = [1000, 0, 0]  # f_files, f_ffree, f_favail
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(fields))
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(mounted / "x"))
    assert failure_of_system(error).detail == (
        f"No inode is free on the filesystem mounted at {mounted} of {HOST}."
    )


PROGRAMS = {
    'pg_basebackup: error: could not write to file "FILE": No space left on device': NoRoom,
    'pg_rewind: fatal: could not open target file "FILE": Read-only file system': NoRoom,
    "P00  ERROR: [041]: unable to write '/x': [122] Disk quota exceeded": NoRoom,
    'pg_rewind: error: could not read file "FILE": Input/output error': Undone,
    'pg_verifybackup: error: "base/1/2" is present on disk but not in the manifest': Undone,
}


@pytest.mark.parametrize("line", PROGRAMS)
def test_full_disk_in_the_output_of_a_program(mounted: Path, line: str) -> None:
    output = f"first line\n{line.replace('FILE', str(mounted / 'base'))}\nlast line"
    with pytest.raises(Undone) as caught:
        Completed(("/usr/bin/pg_x",), 1, output).check()
    assert type(caught.value) is PROGRAMS[line]
    assert caught.value.message == "pg_x exited with status 1"
    assert "last line" in (caught.value.detail or "")
    has_file = "FILE" in line
    assert (f"mounted at {mounted}" in (caught.value.hint or "")) is has_file


def test_full_disk_of_the_primary_is_not_taken_for_the_nodes() -> None:
    line = 'pg_basebackup: error: could not send: ERROR:  "/x": No space left on device'
    said = failure_of_program("pg_basebackup exited with status 1", line)
    assert isinstance(said, NoRoom)
    assert said.hint == "The error is on the primary: check its disk, then recover the node again."


def test_mount_of_the_same_filesystem_cannot_be_renamed(mounted: Path) -> None:
    assert not os.path.ismount(mounted)
    assert not can_rename(mounted)
    beside = mounted.with_name("beside")
    beside.mkdir()
    assert can_rename(beside)
    assert mount_point_of(mounted / "not" / "there") == str(mounted)
    assert mount_point_of(beside) == "/"


def test_log_of_a_server_that_ended_with_a_full_disk(mounted: Path) -> None:
    """The hint names the one of two filesystems that the line is about."""
    (mounted / "wal").mkdir()
    data = mounted.with_name("data")
    data.mkdir()
    (data / "pg_wal").symlink_to(mounted / "wal")
    wal = 'PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device'
    assert f"mounted at {mounted} of" in (advice_on_log(f"LOG:  x\n{wal}\nLOG:  y", data) or "")
    base = 'FATAL:  could not extend file "base/1/2": No space left on device'
    assert "mounted at / of" in (advice_on_log(base, data) or "")
    assert advice_on_log("FATAL:  invalid value for parameter", data) is None
