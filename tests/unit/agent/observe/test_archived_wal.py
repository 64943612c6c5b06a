"""WAL files for pg_wal are fetched into a file that no server reads, and looked at first."""

from pathlib import Path

import pytest

from pgpool_recovery.agent.observe.archived_wal import ArchiveSource
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.archived_wal import FromArchive, Origin
from pgpool_recovery.host.stop import Stop
from tests.unit.agent.observe.wal_files import (
    FIRST,
    SECOND,
    SIZE,
    contents,
    make_archive,
    make_data,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_archive(tmp_path / "archive", FIRST, SECOND)


def source(data: Path, command: str) -> ArchiveSource:
    whole = FromArchive(
        Origin.OWN, command, FIRST, SECOND, 2, 2 * SIZE, 0x35, TimelineId(1), timeout_s=30
    )
    return ArchiveSource(whole, data, SIZE, Stop())


def test_file_for_pg_wal_is_the_one_that_was_requested(data: Path, archive: Path) -> None:
    assert source(data, f"cp {archive}/%f %p").segment(SECOND) == contents(SECOND)
    for command, why in (
        (f"cp {archive}/{FIRST} %p", "brought is not"),
        ("false", "did not bring"),
        (f"head -c 1000 {archive}/%f > %p", "brought is not"),
        ("true", "did not bring"),
    ):
        with pytest.raises(Undone, match=why):
            source(data, command).segment(SECOND)
