"""What an examination of a server's files finds, run as the server's user, not as root."""

import itertools
import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pgpool_recovery.domain.data_directory import SMALL_BYTES, STANDBY_FILES
from pgpool_recovery.facts.access import Access, Lacks, reject_settings
from pgpool_recovery.host import file_access as access
from pgpool_recovery.host.file_access import look_as_source, look_as_target, spare_wal_bytes
from tests.unit.agent.as_nobody import as_nobody

TABLES = {
    "PG_VERSION": "15",
    "base/1/1": "x" * 8192,
    "base/pgsql_tmp/pgsql_tmp1": "x",
    "global/pg_control": "x",
    "pg_replslot/a/state": "x",
    "pg_wal/000000010000000000000001": "x",
    "postgresql.conf": "x",
    "log/a.log": "x",
}
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for files of root")


def data_directory(root: Path, more: dict[str, str] | None = None) -> Path:
    data = root / "data"
    for name, text in (TABLES | (more or {})).items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(text)
    data.chmod(0o700)
    return data


def found(access: Access, data: Path) -> list[tuple[str, Lacks]]:
    """Return the obstacles, by their paths in the data directory."""
    return [(str(Path(one.path).relative_to(data)), one.lacks) for one in access.obstacles]


def look(
    root: Path, of_root: dict[Path, int], asked: Callable[[], list[tuple[str, Lacks]]]
) -> Callable[[list[tuple[str, Lacks]]], None]:
    """Return a check of the result that a user other than root gets."""

    def compare(expected: list[tuple[str, Lacks]]) -> None:
        def check() -> None:
            got = asked()
            assert got == sorted(expected, key=lambda one: (one[1], one[0])), got

        as_nobody(root, check, of_root)

    return compare


@NEEDS_ROOT
def test_obstacles_to_a_copy_of_the_primary(tmp_path: Path) -> None:
    long = "n" * 96
    data = data_directory(tmp_path, {f"log/{long}": "x", "log/old/a": "x", "server.key": "x"})
    (data / "dangling").symlink_to("/nowhere")
    (data / "a.conf").symlink_to(data / "log/old")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(data / "s"))
    os.mkfifo(data / "pipe")
    of_root = {
        data / name: mode
        for name, mode in {
            "server.key": 0o600,
            "log/old": 0o700,
            "base/1/1": 0o600,
            "base/pgsql_tmp/pgsql_tmp1": 0o600,
            "pg_replslot/a": 0o700,
            "pg_wal/000000010000000000000001": 0o600,
            "postgresql.conf": 0o644,
        }.items()
    }
    look(tmp_path, of_root, lambda: found(look_as_source(data, []), data))(
        [
            ("server.key", Lacks.READING),
            ("log/old", Lacks.READING),
            ("base/1/1", Lacks.READING),
            (f"log/{long}", Lacks.NAME),
            ("a.conf", Lacks.READING_BY_REWIND),
            ("pg_wal/000000010000000000000001", Lacks.READING_BY_REWIND),
        ]
    )


@NEEDS_ROOT
def test_obstacles_to_changing_or_removing_the_data_of_a_node(tmp_path: Path) -> None:
    data = data_directory(tmp_path, {"keys/a": "x", "keys/b": "x", "log/b.log": "x"})
    (data / "keys/a").chmod(0o400)
    (data / "keys/b").chmod(0o000)
    (data / "keys").chmod(0o500)
    (data / "pg_wal/000000010000000000000001").chmod(0o400)
    of_root = {
        data / name: mode
        for name, mode in {
            "postgresql.conf": 0o644,
            "log/b.log": 0o600,
            "global": 0o755,
            "base/1/1": 0o600,
        }.items()
    }
    look(tmp_path, of_root, lambda: found(look_as_target(data, [], []), data))(
        [
            ("log/b.log", Lacks.READING),
            ("global", Lacks.REMOVING),
            ("base/1/1", Lacks.CHANGING),
            ("pg_wal/000000010000000000000001", Lacks.CHANGING),
        ]
    )


@NEEDS_ROOT
def test_old_data_in_a_workspace_need_only_be_removable(tmp_path: Path) -> None:
    data, workspace = data_directory(tmp_path), tmp_path / "data.pgpool_recovery"
    for name in ("old/base/1", "old/base/2"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("x")
    of_root = {workspace / "old/base/1": 0o600, workspace / "old/base": 0o755}
    asked = lambda: found(look_as_target(data, [], [workspace]), workspace)  # noqa: E731
    look(tmp_path, of_root, asked)([("old/base", Lacks.REMOVING)])


def test_healthy_data_has_no_obstacles(tmp_path: Path) -> None:
    data = data_directory(tmp_path)
    assert look_as_source(data, []).obstacles == ()
    assert look_as_target(data, [tmp_path / "nowhere"], []).obstacles == ()
    assert look_as_target(tmp_path / "nowhere", [], []).obstacles == ()


def test_own_files_and_copied_ones_are_counted(tmp_path: Path) -> None:
    data = data_directory(tmp_path, {"log/large.gz": "x" * (4 * SMALL_BYTES)})
    access = look_as_target(data, [], [])
    assert access.kept_bytes >= 4 * SMALL_BYTES
    assert access.copied_bytes < SMALL_BYTES
    assert look_as_source(data, []).kept_bytes >= 4 * SMALL_BYTES


def test_examination_ends_in_time_and_reports_that_it_is_incomplete(tmp_path: Path) -> None:
    data = data_directory(tmp_path)
    assert not look_as_source(data, [], limit_s=0).is_whole
    assert not look_as_target(data, [], [], limit_s=0).is_whole
    assert look_as_target(data, [], []).is_whole


def test_number_of_named_obstacles_is_limited(tmp_path: Path) -> None:
    data = data_directory(tmp_path, {f"log/{number:02}{'n' * 96}": "x" for number in range(25)})
    access = look_as_source(data, [])
    assert (len(access.obstacles), access.more) == (20, {Lacks.NAME: 5})


@NEEDS_ROOT
def test_obstacles_of_one_kind_do_not_hide_those_of_another(tmp_path: Path) -> None:
    """Otherwise a full copy could be planned although its old data cannot be removed."""
    names = [f"base/1/{number}" for number in range(2, 27)]
    data = data_directory(tmp_path, dict.fromkeys(names, "x"))
    space = tmp_path / "space" / "5"
    space.mkdir(parents=True)
    of_root = {data / name: 0o600 for name in names} | {space: 0o755}

    def check() -> None:
        access = look_as_target(data, [space.parent], [])
        assert [one.path for one in access.lacking(Lacks.REMOVING)] == [str(space)]
        assert access.more == {Lacks.CHANGING: 5}

    as_nobody(tmp_path, check, of_root)


@NEEDS_ROOT
def test_files_that_every_method_replaces_are_named_first(
    tmp_path: Path,
) -> None:
    names = [f"{place}/{number}" for place in ("pg_wal", "base/1") for number in range(25)]
    data = data_directory(tmp_path, dict.fromkeys([*names, *STANDBY_FILES[:-1]], "x"))
    of_root = {data / name: 0o600 for name in (*names, *STANDBY_FILES[:-1])}

    def check() -> None:
        [rejection] = reject_settings("node 1", look_as_target(data, [], []), str(data))
        assert all(
            f"{data / name} belongs to root" in str(rejection.detail) for name in STANDBY_FILES[:-1]
        )
        assert "more" not in str(rejection.detail)

    as_nobody(tmp_path, check, of_root)


@NEEDS_ROOT
def test_name_that_is_too_long_does_not_hide_that_the_file_cannot_be_read(tmp_path: Path) -> None:
    """pg_rewind accepts any name, but fails on this file all the same."""
    long = f"log/{'n' * 96}"
    data = data_directory(tmp_path, {long: "x"})
    look(tmp_path, {data / long: 0o600}, lambda: found(look_as_source(data, []), data))(
        [(long, Lacks.NAME), (long, Lacks.READING)]
    )


def test_recycled_wal_files_are_counted(tmp_path: Path) -> None:
    data = data_directory(tmp_path, {"pg_wal/000000010000000000000002": "x" * 10})
    assert spare_wal_bytes(data / "pg_wal", ["000000010000000000000001"]) == 10


def test_examination_ends_in_time_within_one_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are a hundred files in one directory, and the clock advances by a second for each."""
    data = data_directory(tmp_path, {f"base/1/{number}": "x" for number in range(100)})
    ticks = itertools.count()
    monkeypatch.setattr(access, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    assert not look_as_source(data, [], limit_s=60).is_whole


@NEEDS_ROOT
@pytest.mark.parametrize("mounted", ["", "data", "wal"])
def test_lost_found_of_a_filesystem_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: str
) -> None:
    """In a directory where nothing is mounted, it is like any other directory of root."""
    data, wal = data_directory(tmp_path), tmp_path / "wal"
    of_root = {
        data / "lost+found": 0o700,
        wal / "lost+found": 0o700,
        data / "base/lost+found": 0o700,
    }
    for directory in of_root:
        directory.mkdir(parents=True)
    monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path / mounted)

    def check() -> None:
        obstacles = look_as_target(data, [wal], []).obstacles
        paths = {str(Path(one.path).relative_to(tmp_path)): one.lacks for one in obstacles}
        inner = {"base": "data/base/lost+found", "data": "data/lost+found", "wal": "wal/lost+found"}
        left = [path for name, path in inner.items() if name != mounted]
        assert paths == dict.fromkeys(left, Lacks.REMOVING), paths

    as_nobody(tmp_path, check, of_root)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("base/1/2", False),
        ("global/2", False),
        ("pg_tblspc/2", False),
        ("pg_wal/000000010000000000000002", False),
        ("pg_replslot/a/2", False),
        ("pg_xact/0000", True),
        ("basement", True),
    ],
)
def test_files_that_the_server_counts_are_not_counted_again(
    tmp_path: Path, name: str, *, counts: bool
) -> None:
    before = look_as_source(data_directory(tmp_path), []).kept_bytes
    data = data_directory(tmp_path, {name: "x" * SMALL_BYTES})
    more = look_as_source(data, []).kept_bytes - before
    assert more == ((data / name).stat().st_blocks * 512 if counts else 0)
