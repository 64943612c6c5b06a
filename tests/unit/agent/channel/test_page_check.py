"""A page that is torn is read again, and one that stays wrong is not sent."""

import struct
from pathlib import Path

import pytest

from pgpool_recovery.agent.channel import page_check
from pgpool_recovery.agent.channel.page_check import page_checker
from pgpool_recovery.agent.method.page import checksum
from pgpool_recovery.blocks.send import CheckPages
from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import Lsn
from pgpool_recovery.host.stop import Stop
from tests.unit.agent.channel.agents import opening
from tests.unit.blocks.ends import make_cluster, source_of, target_of, write

BLOCK_BYTES = 8192
START = Lsn(1000)
PATH = "base/5/16384.1"
SEGMENT_BLOCKS = 131072


def page(number: int, lsn: int = 900) -> bytes:
    """Return a page with the right checksum, for a block of the second segment."""
    data = bytearray(b"x" * BLOCK_BYTES)
    struct.pack_into("=IIHHHHHH", data, 0, 0, lsn, 0, 0, 24, 8000, 8192, 0)
    struct.pack_into("=H", data, 8, checksum(bytes(data), SEGMENT_BLOCKS + number))
    return bytes(data)


def damaged(whole: bytes) -> bytes:
    return whole[:-1] + b"y"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_cluster(tmp_path / "source")


def checker(
    source: Path, *, start: Lsn | None = START, has_checksums: bool = True
) -> CheckPages | None:
    named = source_of(source)
    form = replace(named.format, block_bytes=BLOCK_BYTES, has_checksums=has_checksums)
    named = replace(named, format=form)
    request = opening(named, replace(target_of(source), check_pages_from=start))
    return page_checker(request, SourceFiles(named), Stop())


@pytest.fixture
def check(source: Path, monkeypatch: pytest.MonkeyPatch) -> CheckPages:
    monkeypatch.setattr(page_check, "BETWEEN_S", 0.0)
    made = checker(source)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("start", "has_checksums"), [(None, True), (START, False)], ids=["not wanted", "none"]
)
def test_pages_without_checksums_are_not_checked(
    source: Path,
    start: Lsn | None,
    has_checksums: bool,  # noqa: FBT001 - pytest passes it
) -> None:
    assert checker(source, start=start, has_checksums=has_checksums) is None


def test_sound_pages_and_new_ones(check: CheckPages) -> None:
    check(PATH, 3, memoryview(page(3) + page(4) + bytes(BLOCK_BYTES) + b"a part of one"))


def test_page_that_was_written_after_the_start(check: CheckPages) -> None:
    check(PATH, 3, memoryview(damaged(page(3, lsn=1000))))


def test_page_that_was_torn_is_read_again(source: Path, check: CheckPages) -> None:
    write(source, {PATH: page(0) + page(1)})
    check(PATH, 1, memoryview(damaged(page(1))))


def test_page_that_is_cut_off_meanwhile(source: Path, check: CheckPages) -> None:
    write(source, {PATH: page(0)})
    check(PATH, 1, memoryview(damaged(page(1))))


def test_page_that_stays_wrong_is_named(source: Path, check: CheckPages) -> None:
    write(source, {PATH: page(0) + damaged(page(1))})
    with pytest.raises(Undone, match=rf'block {SEGMENT_BLOCKS + 1} of "{PATH}" has a wrong'):
        check(PATH, 0, memoryview(page(0) + damaged(page(1))))


def test_page_of_another_block_is_wrong(source: Path, check: CheckPages) -> None:
    write(source, {PATH: page(1)})
    with pytest.raises(Undone):
        check(PATH, 0, memoryview(page(1)))


def test_files_that_have_no_pages(check: CheckPages) -> None:
    check("pg_xact/0000", 0, memoryview(b"x" * BLOCK_BYTES))
    check("base/5/pg_filenode.map", 0, memoryview(b"x" * BLOCK_BYTES))
