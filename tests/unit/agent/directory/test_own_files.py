"""Promise 5: the node's own files survive, whatever came from the primary."""

import os
import socket
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.own_files import (
    keep_own_files,
    own_directory,
    withdraw_own_files,
)
from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.domain.data_directory import SMALL_BYTES
from tests.unit.agent.as_nobody import NOBODY, as_nobody


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def test_promise_5_own_files_take_the_place_of_the_copied(tmp_path: Path) -> None:
    old = write(
        tmp_path / "old",
        {
            "PG_VERSION": "15",
            "base/1/1": "data",
            "postgresql.conf": "port = 5433",
            "conf.d/own.conf": "own",
            "server.key": "own key",
            "recovery_1st_stage": "own script",
        },
    )
    (old / "server.key").chmod(0o600)
    (old / "linked.conf").symlink_to("/etc/elsewhere.conf")
    new = write(
        tmp_path / "new",
        {
            "PG_VERSION": "15",
            "base/1/1": "new data",
            "postgresql.conf": "port = 5432",
            "conf.d/primary.conf": "primary's",
            "linked.conf": "primary's",
            "primary.only": "came along",
            "log/postgresql.log": "the primary's log",
        },
    )
    keep_own_files(old, new)
    assert (new / "postgresql.conf").read_text() == "port = 5433"
    assert os.listdir(new / "conf.d") == ["own.conf"]
    assert (new / "server.key").stat().st_mode & 0o777 == 0o600
    assert (new / "recovery_1st_stage").read_text() == "own script"
    assert (new / "linked.conf").readlink() == Path("/etc/elsewhere.conf")
    assert (new / "base/1/1").read_text() == "new data"
    assert (new / "primary.only").exists()
    assert not (new / "log").exists(), "the primary's log was copied"
    assert (old / "postgresql.conf").read_text() == "port = 5433", "the old copy was changed"


def test_large_file_is_hard_linked_and_special_files_are_left_out(tmp_path: Path) -> None:
    large = "x" * (SMALL_BYTES + 1)
    old = write(tmp_path / "old", {"log/a.log.1": large, "log/a.log": "x", "conf.d/a": "x"})
    for name in (".s.PGSQL.5432", "conf.d/socket"):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(old / name))
    os.mkfifo(old / "pipe")
    new = write(tmp_path / "new", {"PG_VERSION": "15"})
    keep_own_files(old, new)
    assert (new / "log/a.log.1").samefile(old / "log/a.log.1")
    assert not (new / "log/a.log").samefile(old / "log/a.log")
    assert not (new / "conf.d/a").samefile(old / "conf.d/a")
    assert sorted(os.listdir(new)) == ["PG_VERSION", "conf.d", "log"]
    assert os.listdir(new / "conf.d") == ["a"]


def test_new_node_keeps_what_the_copy_brings(tmp_path: Path) -> None:
    new = write(tmp_path / "new", {"postgresql.conf": "primary's", "log/x.log": "x"})
    keep_own_files(tmp_path / "missing", new)
    assert (new / "postgresql.conf").exists()
    assert (new / "log/x.log").exists()


def test_own_files_wait_in_the_workspace_while_the_data_is_gone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    own = write(tmp_path / "data.pgpool_recovery/own", {"postgresql.conf": "x"})
    assert own_directory(data) == own
    write(data, {"postgresql.conf": "y"})
    assert own_directory(data) == data


def test_own_file_is_not_written_through_a_name_in_the_data(tmp_path: Path) -> None:
    crash = "PANIC: could not write to file\n" + "x" * SMALL_BYTES
    data = write(tmp_path / "data", {"PG_VERSION": "15", "log/a.log": crash, "a.conf": "own"})
    own = tmp_path / "own"
    own.mkdir()
    keep_own_files(data, own)
    withdraw_own_files(data)
    assert os.listdir(data) == ["PG_VERSION"]
    write(data, {"log/a.log": "the primary's", "a.conf": "the primary's"})
    keep_own_files(own, data)
    assert (data / "log/a.log").read_text() == crash
    assert (data / "a.conf").read_text() == "own"
    withdraw_own_files(data)  # Again, while both names are links to one file.
    assert (own / "log/a.log").read_text() == crash


def test_modes_that_deny_access_are_kept(tmp_path: Path) -> None:
    """As a user who may not read everything, unlike root."""
    if os.geteuid() == 0:
        as_nobody(tmp_path, lambda: check_modes(tmp_path))
    else:
        check_modes(tmp_path)


def check_modes(root: Path) -> None:
    old = write(root / "old", {"PG_VERSION": "15", "key": "k", "d/e/f": "f", "r/f": "f"})
    for name, mode in {"key": 0o200, "d/e": 0o000, "r/f": 0o400, "r": 0o500}.items():
        (old / name).chmod(mode)
    new = write(root / "new", {"PG_VERSION": "15"})
    keep_own_files(old, new)
    for directory in (old, new):
        modes = {
            name: (directory / name).stat().st_mode & 0o777 for name in ("key", "d/e", "r", "r/f")
        }
        assert modes == {"key": 0o200, "d/e": 0o000, "r": 0o500, "r/f": 0o400}
    (new / "d/e").chmod(0o700)
    assert (new / "d/e/f").read_text() == (new / "r/f").read_text() == "f"
    (new / "d/e").chmod(0o000)
    for directory in (old, new):
        remove(directory)
        assert not directory.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a key of root")
def test_copy_of_a_key_of_root_is_one_that_a_server_accepts(tmp_path: Path) -> None:
    old = write(tmp_path / "old", {"PG_VERSION": "15", "server.key": "k", "root.conf": "x"})
    new = write(tmp_path / "new", {"PG_VERSION": "15"})

    def keep() -> None:
        keep_own_files(old, new)
        modes = [(new / name).stat().st_mode & 0o777 for name in ("server.key", "root.conf")]
        assert modes == [0o600, 0o644]

    as_nobody(tmp_path, keep, {old / "server.key": 0o640, old / "root.conf": 0o644}, gid=NOBODY)
