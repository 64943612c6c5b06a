"""Changed blocks written to the old file: what stays, what is cut off, what becomes zeros."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.incremental.changed_blocks import (
    FIXED,
    MAGIC,
    ChangedBlocks,
    header_bytes,
)
from pgpool_recovery.agent.method.incremental.whole_file import WholeFile
from pgpool_recovery.domain.error import Undone
from tests.unit.agent.method.incremental.stream import BLOCK_BYTES, SEGMENT_BLOCKS, block, changed

ZEROS = bytes(BLOCK_BYTES)


def old_file(directory: Path, marks: str) -> Path:
    file = directory / "16384"
    file.write_bytes(b"".join(map(block, marks)))
    return file


def put(
    file: Path,
    data: bytes,
    *,
    piece_bytes: int = BLOCK_BYTES,
    size_bytes: int | None = None,
    check_page: Callable[[memoryview, int], None] | None = None,
) -> bytes:
    sink = ChangedBlocks(
        os.open(file, os.O_WRONLY),
        size_bytes=len(data) if size_bytes is None else size_bytes,
        block_bytes=BLOCK_BYTES,
        segment_blocks=SEGMENT_BLOCKS,
        check_page=check_page,
    )
    for at in range(0, len(data), piece_bytes):
        sink.write(memoryview(data)[at : at + piece_bytes])
    sink.close()
    return file.read_bytes()


@pytest.mark.parametrize("piece_bytes", [1, 100, BLOCK_BYTES, 3 * BLOCK_BYTES, 5000])
def test_only_the_blocks_that_were_sent_are_written(tmp_path: Path, piece_bytes: int) -> None:
    file = old_file(tmp_path, "abcd")
    found = put(file, changed({1: block("B"), 3: block("D")}, 4), piece_bytes=piece_bytes)
    assert found == b"".join(map(block, "aBcD"))


def test_nothing_has_changed(tmp_path: Path) -> None:
    assert put(old_file(tmp_path, "ab"), changed({}, 2)) == b"".join(map(block, "ab"))


def test_the_file_became_shorter(tmp_path: Path) -> None:
    assert put(old_file(tmp_path, "abcd"), changed({0: block("A")}, 2)) == block("A") + block("b")


def test_the_file_became_longer_by_blocks_that_were_sent(tmp_path: Path) -> None:
    found = put(old_file(tmp_path, "a"), changed({1: block("B"), 2: block("C")}, 3))
    assert found == b"".join(map(block, "aBC"))


def test_blocks_that_were_cut_off_and_not_sent_are_zeros(tmp_path: Path) -> None:
    """The old blocks after the truncation length must not reappear."""
    found = put(old_file(tmp_path, "abcd"), changed({3: block("D")}, 1))
    assert found == block("a") + ZEROS + ZEROS + block("D")


def test_an_extension_without_content(tmp_path: Path) -> None:
    assert put(old_file(tmp_path, "a"), changed({}, 3)) == block("a") + ZEROS + ZEROS


def test_an_interrupted_write_is_corrected_by_the_next(tmp_path: Path) -> None:
    file = old_file(tmp_path, "abcd")
    first = changed({0: block("1"), 2: block("3")}, 3)
    with pytest.raises(Undone, match="cut off"):
        put(file, first[: -BLOCK_BYTES // 2], size_bytes=len(first))
    second = changed({0: block("A"), 2: block("C"), 3: block("D")}, 4)
    assert put(file, second) == b"".join(map(block, "AbCD"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (changed({0: block("A")}, 1, magic=7), "header that does not fit"),
        (changed({0: block("A")}, 1)[:-1], "header that does not fit"),
        (changed({0: block("A")}, 1) + b"x", "header that does not fit"),
        (changed({2: block("A"), 1: block("B")}, 4), "not in order"),
        (changed({SEGMENT_BLOCKS: block("A")}, 1), "past the end of a segment"),
        (changed({}, SEGMENT_BLOCKS + 1), "past the end of a segment"),
        (b"", "cut off"),
        (b"short", "cut off"),
    ],
)
def test_files_that_no_server_sends_change_nothing(tmp_path: Path, data: bytes, why: str) -> None:
    file = old_file(tmp_path, "abcd")
    with pytest.raises(Undone, match=why):
        put(file, data)
    assert file.read_bytes() == b"".join(map(block, "abcd"))


def test_impossible_header_is_refused_before_all_of_it_is_received(tmp_path: Path) -> None:
    """It could be 16 GB long, and would be collected in memory."""
    count = 2**32 - 1
    begin = FIXED.pack(MAGIC, count, 0)
    size_bytes = header_bytes(count, BLOCK_BYTES) + count * BLOCK_BYTES
    with pytest.raises(Undone, match="goes past the end of a segment"):
        put(old_file(tmp_path, "abcd"), begin, size_bytes=size_bytes)
    begin = FIXED.pack(MAGIC, SEGMENT_BLOCKS, SEGMENT_BLOCKS + 1)
    size_bytes = header_bytes(SEGMENT_BLOCKS, BLOCK_BYTES) + SEGMENT_BLOCKS * BLOCK_BYTES
    with pytest.raises(Undone, match="goes past the end of a segment"):
        put(old_file(tmp_path, "abcd"), begin, size_bytes=size_bytes)


def test_pages_are_checked_before_they_are_written(tmp_path: Path) -> None:
    file = old_file(tmp_path, "abcd")

    def refuse_b(page: memoryview, number: int) -> None:
        if page[0] == ord("B"):
            raise Undone(f"block {number}")

    with pytest.raises(Undone, match="block 2"):
        put(file, changed({1: block("A"), 2: block("B")}, 4), check_page=refuse_b)
    assert file.read_bytes() == b"".join(map(block, "aAcd"))


@pytest.mark.parametrize("piece_bytes", [1, 100, BLOCK_BYTES, 5000])
def test_a_whole_file_takes_the_place_of_the_old(tmp_path: Path, piece_bytes: int) -> None:
    file = old_file(tmp_path, "abcd")
    checked: list[tuple[bytes, int]] = []
    sink = WholeFile(
        os.open(file, os.O_WRONLY),
        block_bytes=BLOCK_BYTES,
        check_page=lambda page, number: checked.append((bytes(page), number)),
    )
    data = block("A") + block("B") + b"rest"
    for at in range(0, len(data), piece_bytes):
        sink.write(memoryview(data)[at : at + piece_bytes])
    assert len(file.read_bytes()) == 4 * BLOCK_BYTES, "the old file was emptied first"
    sink.close()
    assert file.read_bytes() == data
    assert checked == [(block("A"), 0), (block("B"), 1)]
