"""Only files of a cluster's own directories are compared, whatever a sender says."""

import pytest

from pgpool_recovery.blocks.path import parts_of, tablespace_of
from pgpool_recovery.domain.error import Undone

HOSTILE = (
    *("", "/", "/etc/passwd", "..", "../x", "base/../../x", "base//1", "base/./1", "base/5/"),
    *("base/5/1\0", "base/" + "a" * 2000),
)
NOT_OURS = (
    *("postgresql.conf", "base", "pg_wal/000000010000000000000001", "pg_replslot/a/state"),
    *("pg_tblspc/16400", "pg_tblspc/16400/PG_15_202209061", "pg_tblspc/x/PG_15_202209061/5/1"),
    *("pg_tblspc/0/PG_15_202209061/5/1", "global/pgpool_recovery.marker", "PG_VERSION/x"),
    *("postmaster.pid", "backup_label", "pg_tblspc/-1/PG_15_202209061/5/1"),
)


@pytest.mark.parametrize("path", HOSTILE)
def test_path_that_leads_elsewhere(path: str) -> None:
    with pytest.raises(Undone):
        parts_of(path)


@pytest.mark.parametrize("path", NOT_OURS)
def test_file_that_is_never_compared(path: str) -> None:
    with pytest.raises(Undone):
        tablespace_of(parts_of(path))


@pytest.mark.parametrize(
    "path",
    [
        *("postmaster.pid", "backup_label", "pgpool_recovery/old/PG_VERSION", "pg_wal/0"),
        *("global/pgpool_recovery.marker", "base/pgsql_tmp/pgsql_tmp7.0", "base/5/t3_16390"),
    ],
)
def test_file_that_not_even_a_whole_copy_has(path: str) -> None:
    with pytest.raises(Undone):
        tablespace_of(parts_of(path), is_whole=True)


@pytest.mark.parametrize("path", ["pgpool_recovery.toml", "log/today", "conf.d/postmaster.conf"])
def test_file_that_a_whole_copy_has_beside_the_data(path: str) -> None:
    assert tablespace_of(parts_of(path), is_whole=True) is None


@pytest.mark.parametrize("path", ["PG_VERSION", "base/5/1", "global/1262", "pg_xact/0000"])
def test_file_of_the_data_directory(path: str) -> None:
    assert tablespace_of(parts_of(path)) is None
