"""Two names of one file are found wherever the data of a cluster is."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.method.names import check_names
from pgpool_recovery.domain.error import Cancelled, Refused
from tests.unit.agent.method.incremental.target import KEPT_OID, VERSION, Target


def never() -> None:
    pass


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Target(tmp_path).data


@pytest.mark.parametrize(
    "other",
    ["base/6/1259", "base/5/16384_vm", "pg_xact/0000", f"pg_tblspc/{KEPT_OID}/{VERSION}/5/16501"],
)
def test_two_names_in_the_data_are_refused(data: Path, other: str) -> None:
    second = data / other
    second.unlink()
    second.hardlink_to(data / "base/5/16385")
    with pytest.raises(Refused, match="are the same file") as refused:
        check_names(data, never)
    assert str(data / "base/5/16385") in str(refused.value)


def test_two_links_to_one_tablespace_are_refused(data: Path) -> None:
    (data / "pg_tblspc/16777").symlink_to((data / "pg_tblspc" / str(KEPT_OID)).readlink())
    with pytest.raises(Refused, match=f"pg_tblspc/16777/{VERSION} and .* are the same file"):
        check_names(data, never)


def test_names_elsewhere_are_no_matter(data: Path, tmp_path: Path) -> None:
    """pg_upgrade --link leaves some, and so may a server that crashes while it renames WAL."""
    (tmp_path / "16384").hardlink_to(data / "base/5/16384")
    older = (data / "pg_tblspc" / str(KEPT_OID)).resolve() / "PG_16_202307071/5"
    older.mkdir(parents=True)
    (older / "16500").hardlink_to(data / f"pg_tblspc/{KEPT_OID}/{VERSION}/5/16500")
    (data / "pg_wal/xlogtemp.1").hardlink_to(data / "pg_wal/000000010000000000000003")
    check_names(data, never)


def test_directory_without_a_version_may_be_restored(data: Path) -> None:
    (data / "PG_VERSION").write_text("")
    check_names(data, never)
    (data / "PG_VERSION").unlink()
    check_names(data, never)


def test_it_can_be_ended(data: Path) -> None:
    def cancelled() -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        check_names(data, cancelled)
