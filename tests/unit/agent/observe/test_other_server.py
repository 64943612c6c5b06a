"""A WAL directory or tablespace that is another server's is recognized, and no other one is."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.place import observe_place
from pgpool_recovery.agent.observe import other_server
from pgpool_recovery.agent.observe.other_server import see_others
from pgpool_recovery.domain.data_directory import LAST_START
from pgpool_recovery.facts.facts import FileIdentity
from pgpool_recovery.host import filesystem
from pgpool_recovery.host.filesystem import identity_of
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME
from tests.unit.other_server import NOBODY

VERSION = "PG_15_202209061"


class Host:
    """Two data directories, the second of which is a copy of the first with all its links."""

    def __init__(self, root: Path) -> None:
        self.wal, self.space = root / "wal", root / "space"
        self.wal.mkdir()
        (self.space / VERSION).mkdir(parents=True)
        self.own, self.other = root / "own/data", root / "other/data"
        for data in (self.own, self.other):
            (data / "pg_tblspc").mkdir(parents=True)
            (data / "global").mkdir()
            (data / "global/pg_control").write_bytes(b"x")
            (data / "PG_VERSION").write_text("15\n")
            (data / "pg_wal").symlink_to(self.wal)
            (data / "pg_tblspc/16400").symlink_to(self.space)

    def others(self) -> tuple[str | None, str | None]:
        """Return whose the WAL directory and the tablespace of our own are said to be."""
        see = see_others(self.own)
        places = (self.own / "pg_wal", self.own / "pg_tblspc/16400" / VERSION)
        wal, space = (see(observe_place(place, is_own=True)) for place in places)
        return wal.other_server, space.other_server


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path.resolve())


@pytest.fixture
def server(host: Host) -> Iterator[int]:
    """Run what looks like the server of the other directory."""
    with subprocess.Popen(["sleep", "60"], cwd=host.other) as process:
        lines = f"{process.pid}\n{host.other}\n1795791600\n5433\n/run/x\n*\n  1 2\nready   \n"
        (host.other / PID_FILE_NAME).write_text(lines)
        yield process.pid
        process.kill()


@pytest.mark.usefixtures("server")
def test_directories_of_a_server_that_runs_are_its_own(host: Host) -> None:
    assert host.others() == (str(host.other), str(host.other))


@pytest.mark.usefixtures("server")
def test_server_with_other_directories_takes_none(host: Host, tmp_path: Path) -> None:
    for name, new in (("pg_wal", "wal2"), ("pg_tblspc/16400", "space2")):
        (tmp_path / new / VERSION).mkdir(parents=True)
        (host.other / name).unlink()
        (host.other / name).symlink_to(tmp_path / new)
    assert host.others() == (None, None)


def test_own_server_is_no_other(host: Host) -> None:
    with subprocess.Popen(["sleep", "60"], cwd=host.own) as process:
        (host.own / PID_FILE_NAME).write_text(f"{process.pid}\n{host.own}\n")
        try:
            assert host.others() == (None, None)
        finally:
            process.kill()


def test_copy_that_nothing_runs_in_takes_none(host: Host) -> None:
    """It may be an old copy of the node's data, which somebody has put aside."""
    assert host.others() == (None, None)
    (host.other / PID_FILE_NAME).write_text(f"{os.getpid()}\n{host.other}\n")  # From a crash.
    with subprocess.Popen(["sleep", "60"], cwd=host.other) as process:  # A shell, for example.
        try:
            assert host.others() == (None, None)
        finally:
            process.kill()


def started_in(data: Path, named: object) -> None:
    """Leave in a data directory what the last start of a server leaves there."""
    (data / "postmaster.opts").write_text(f'/usr/bin/postgres "-D" "{named}" "-c" "x=y"\n')


@pytest.mark.parametrize("beside", ["../other2/data", "../own/data2", "../../far/away"])
def test_server_that_is_stopped(host: Host, beside: str) -> None:
    """Beside our own directory, in one like it, or where a copy of it was last started."""
    there = (host.own.parent / beside).resolve()
    there.parent.mkdir(parents=True, exist_ok=True)
    host.other.rename(there)
    started_in(there, there)
    started_in(host.own, there)
    assert host.others() == (str(there), str(there))
    (host.own / "postmaster.opts").unlink()
    is_near = "far" not in beside
    assert host.others() == ((str(there),) * 2 if is_near else (None, None))


@pytest.mark.parametrize("kind", ["nfs4", "autofs", "fuse.sshfs"])
@pytest.mark.parametrize("at", ["other", "other/data", ""])
def test_what_another_host_serves_is_not_looked_at(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, at: str
) -> None:
    """If that host no longer answers, whoever looks waits for it, and cannot even be killed."""
    (host.other / LAST_START).write_text(f'/usr/bin/postgres "-D" "{host.other}"\n')
    root = host.own.parents[1]
    (tmp_path / "mounts").write_text(
        f"22 1 0:21 / {root} rw - ext4 x rw\n23 22 0:22 / {root / at} rw - {kind} x rw\n"
        f"24 23 0:23 / {host.own.parent} rw - ext4 y rw\n"
    )
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "mounts")
    looked = list[Path]()
    look = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        looked.append(path)
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    assert [path for path in other_server._stopped(host.own) if path == host.other] == []
    assert not [path for path in looked if path.is_relative_to(root / "other/data")]


def test_data_on_another_host_is_beside_what_is_there(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (host.other / LAST_START).write_text(f'/usr/bin/postgres "-D" "{host.other}"\n')
    (tmp_path / "mounts").write_text(f"22 1 0:21 / {host.own.parents[1]} rw - nfs4 x rw\n")
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "mounts")
    assert host.others() == (str(host.other), str(host.other))


def test_copy_in_which_no_server_was_started_takes_none(host: Host) -> None:
    """It names the directory that it is a copy of, or none that can be found."""
    for named in (host.own, "data", ".", "", f"{host.other}\0"):
        started_in(host.other, named)
        assert host.others() == (None, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a directory of another user")
def test_what_another_user_writes_is_not_read(host: Host) -> None:
    started_in(host.other, host.other)
    os.chown(host.other, NOBODY, NOBODY)
    assert host.others() == (None, None)


def test_directory_that_is_mounted_twice_is_one(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_in(host.other, host.other)
    real = identity_of

    def mounted_twice(path: Path) -> FileIdentity | None:
        return real(host.own if path == host.other else path)

    monkeypatch.setattr(other_server, "identity_of", mounted_twice)
    assert host.others() == (None, None)


def test_directory_inside_another_data_directory_is_of_that(host: Host) -> None:
    (host.other / "pg_wal").unlink()
    (host.other / "pg_wal").mkdir()
    (host.own / "pg_wal").unlink()
    (host.own / "pg_wal").symlink_to(host.other / "pg_wal")
    assert host.others() == (str(host.other), None)


def test_directory_inside_our_own_is_our_own(host: Host) -> None:
    (host.own / "spaces" / VERSION).mkdir(parents=True)
    (host.own / "pg_tblspc/16400").unlink()
    (host.own / "pg_tblspc/16400").symlink_to(host.own / "spaces")
    assert host.others() == (None, None)
