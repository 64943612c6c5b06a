"""The list of a source's files is that of a base backup, and they are read while they change."""

import os
from itertools import islice
from pathlib import Path

import pytest

from pgpool_recovery.blocks import source as source_module
from pgpool_recovery.blocks.frame import CHUNK_BYTES
from pgpool_recovery.blocks.source import SourceFiles, order
from pgpool_recovery.domain.error import Cancelled, Refused, Undone
from pgpool_recovery.domain.record import replace
from pgpool_recovery.host.stop import Stop
from tests.unit.blocks.ends import VERSION, make_cluster, source_of, write
from tests.unit.domain.control_files import control_file_of

SENT = {
    "PG_VERSION": b"15\n",
    "base/5/1259": b"a",
    "base/5/1259.1": b"b",
    "base/5/1259_fsm": b"c",
    "base/5/1259_vm": b"d",
    "base/5/16384_init": b"e",
    "base/5/PG_VERSION": b"15\n",
    "base/5/pg_filenode.map": b"f",
    "base/4/1259": b"g",
    "global/1262": b"h",
    "global/pg_control": b"i",
    "global/pg_filenode.map": b"j",
    "pg_logical/mappings/m": b"k",
    "pg_multixact/members/0000": b"l",
    "pg_stat/pgstat.stat": b"m",
    "pg_xact/0000": b"n",
}
UNSENT = {
    "base/5/16384": b"of an unlogged table",
    "base/5/16384.1": b"",
    "base/5/16384_fsm": b"",
    "base/5/16384_vm": b"",
    "base/5/t3_16390": b"of a temporary table",
    "base/5/t3_16390_fsm": b"",
    "base/5/pg_internal.init": b"",
    "base/5/pg_internal.init.77": b"",
    "base/pgsql_tmp/pgsql_tmp7.0": b"",
    "global/pgpool_recovery.marker": b"",
    "global/pg_internal.init": b"",
    "pg_notify/0000": b"",
    "pg_replslot/a/state": b"",
    "pg_wal/000000010000000000000001": b"",
    "log/today": b"",
    "postgresql.conf": b"",
    "postmaster.pid": b"",
}


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    return make_cluster(tmp_path / "source")


def files_of(source: SourceFiles) -> dict[str, int]:
    return {path: size for path, size in source.entries(None) if size is not None}


def test_list_is_that_of_a_base_backup(cluster: Path) -> None:
    write(cluster, SENT | UNSENT)
    files = files_of(SourceFiles(source_of(cluster)))
    assert files == {path: len(data) for path, data in SENT.items()}


def test_list_of_a_whole_copy_has_what_is_beside_the_clusters_files(cluster: Path) -> None:
    """So has a base backup: the configuration, and what is kept there."""
    others = {"log/today": b"", "postgresql.conf": b"", "conf.d/a/b.conf": b"x"}
    others |= {"pgpool_recovery.toml": b"ours, but kept there by an administrator"}
    write(cluster, SENT | UNSENT | others | {"pgpool_recovery/old/base/5/1259": b"of another"})
    source = SourceFiles(replace(source_of(cluster), is_whole=True))
    assert files_of(source) == {path: len(data) for path, data in (SENT | others).items()}
    paths = [path for path, _ in source.entries(None)]
    assert paths == sorted(paths, key=order)
    assert b"".join(source.chunks("conf.d/a/b.conf")) == b"x"
    with pytest.raises(Undone, match="damaged"):
        source.place("pg_wal/000000010000000000000001")


def test_links_and_special_files_are_passed_over(cluster: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    (cluster / "base/5/1").symlink_to(tmp_path / "elsewhere/file")
    (cluster / "base/6").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(cluster / "base/5/2")
    assert files_of(SourceFiles(source_of(cluster))) == {}


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_are_the_whole_list(cluster: Path, limit: int) -> None:
    write(cluster, SENT | UNSENT)
    source = SourceFiles(source_of(cluster))
    whole = list(source.entries(None))
    assert [path for path, _ in whole] == sorted((path for path, _ in whole), key=order)
    found, after = list[tuple[str, int | None]](), None
    while page := list(islice(source.entries(after), limit)):
        found += page
        after = page[-1][0]
    assert found == whole


def test_list_goes_on_after_a_file_that_has_vanished(cluster: Path) -> None:
    write(cluster, {"base/5/1": b"", "base/5/2": b"", "base/5/3": b""})
    (cluster / "base/5/2").unlink()
    found = [path for path, _ in SourceFiles(source_of(cluster)).entries("base/5/2")]
    assert found[0] == "base/5/3"


def link_tablespace(cluster: Path, directory: Path, oid: int) -> None:
    (cluster / f"pg_tblspc/{oid}").symlink_to(directory)
    write(directory, {f"{VERSION}/5/1": b"ts", "PG_14_202107181/5/1": b"of the old cluster"})


def test_tablespace_is_read_by_its_link(cluster: Path, tmp_path: Path) -> None:
    link_tablespace(cluster, tmp_path / "space", 16400)
    source = SourceFiles(source_of(cluster, [16400, 16401]))
    path = f"pg_tblspc/16400/{VERSION}/5/1"
    assert files_of(source) == {path: 2}
    assert b"".join(bytes(chunk) for chunk in source.chunks(path)) == b"ts"


def test_tablespace_that_came_after_the_plan(cluster: Path, tmp_path: Path) -> None:
    link_tablespace(cluster, tmp_path / "space", 16400)
    with pytest.raises(Refused, match="16400 of the primary has no place"):
        files_of(SourceFiles(source_of(cluster)))


def test_file_that_grows_is_read_up_to_its_length(cluster: Path) -> None:
    write(cluster, {"base/5/1": b"a" * (CHUNK_BYTES + 5)})
    sizes = []
    for chunk in SourceFiles(source_of(cluster)).chunks("base/5/1"):
        sizes.append(len(chunk))
        with (cluster / "base/5/1").open("ab") as file:
            file.write(b"b" * CHUNK_BYTES)
    assert sizes == [CHUNK_BYTES, 5]


def test_file_that_shrinks_ends_earlier(cluster: Path) -> None:
    write(cluster, {"base/5/1": b"a" * (3 * CHUNK_BYTES)})
    sizes = []
    for chunk in SourceFiles(source_of(cluster)).chunks("base/5/1"):
        sizes.append(len(chunk))
        os.truncate(cluster / "base/5/1", CHUNK_BYTES + 5)
    assert sizes in ([CHUNK_BYTES, 5], [CHUNK_BYTES, CHUNK_BYTES])  # One may have been read ahead.


@pytest.mark.parametrize("kind", ["missing", "directory", "below a file"])
def test_file_that_is_none(cluster: Path, kind: str) -> None:
    if kind == "directory":
        (cluster / "base/5/1").mkdir()
    elif kind == "below a file":
        (cluster / "base/5").rmdir()
        (cluster / "base/5").touch()
    with pytest.raises(FileNotFoundError):
        list(SourceFiles(source_of(cluster)).chunks("base/5/1"))


def test_error_of_the_disk_names_the_file(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(cluster, {"base/5/1": b"a"})

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pgpool_recovery.blocks.source.os.preadv", fail)
    with pytest.raises(OSError, match=r"base/5/1") as caught:
        list(SourceFiles(source_of(cluster)).chunks("base/5/1"))
    assert caught.value.errno == 5


def test_control_file_that_is_read_while_it_is_written_is_read_again(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stop = control_file_of(15), Stop()
    write(cluster, {"global/pg_control": b"torn" + whole[4:]})

    def mend(_: float) -> None:
        write(cluster, {"global/pg_control": whole})

    monkeypatch.setattr(stop, "wait", mend)
    assert SourceFiles(source_of(cluster)).control_file(stop) == whole


def test_control_file_that_stays_damaged(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "BETWEEN_S", 0.0)
    write(cluster, {"global/pg_control": b"torn" + control_file_of(15)[4:]})
    with pytest.raises(Undone, match="wrong checksum"):
        SourceFiles(source_of(cluster)).control_file(Stop())


def test_cancel_does_not_wait_for_a_control_file(cluster: Path) -> None:
    write(cluster, {"global/pg_control": b""})
    stop = Stop()
    stop.ask()
    with pytest.raises(Cancelled):
        SourceFiles(source_of(cluster)).control_file(stop)
