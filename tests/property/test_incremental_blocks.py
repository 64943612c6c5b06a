"""Changed blocks are applied to an old file as to a model, a list of blocks; and whole archives."""

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.agent.method.incremental.changed_blocks import ChangedBlocks
from pgpool_recovery.agent.method.page import (
    LAST_ROUNDS,
    PRIME,
    SHIFT,
    START_SUMS,
    checksum,
)
from pgpool_recovery.agent.method.tar_stream import (
    Member,
    Sink,
    TarStream,
    checked_path,
)
from pgpool_recovery.domain.error import RecoveryError
from tests.unit.agent.method.incremental.stream import (
    BLOCK_BYTES,
    SEGMENT_BLOCKS,
    archive,
    block,
    changed,
)

MARKS = st.sampled_from("ABCDEFGH")
OLD = st.text("abcdefgh", max_size=SEGMENT_BLOCKS)
CHANGES = st.dictionaries(st.integers(0, SEGMENT_BLOCKS - 1), MARKS, max_size=SEGMENT_BLOCKS)
LENGTHS = st.integers(0, SEGMENT_BLOCKS)
PIECES = st.integers(1, 3 * BLOCK_BYTES)


def model(old: str, changes: dict[int, str], truncation_blocks: int) -> str:
    """Return the file that the server means, with a dot for each block of zeros."""
    length = max([truncation_blocks, *(number + 1 for number in changes)])
    kept = old[:truncation_blocks].ljust(length, ".")
    return "".join(changes.get(number, kept[number]) for number in range(length))


def put(directory: Path, data: bytes, piece_bytes: int) -> None:
    sink = ChangedBlocks(
        os.open(directory / "file", os.O_WRONLY | os.O_CREAT, 0o600),
        size_bytes=len(data),
        block_bytes=BLOCK_BYTES,
        segment_blocks=SEGMENT_BLOCKS,
        check_page=None,
    )
    for at in range(0, len(data), piece_bytes):
        sink.write(memoryview(data)[at : at + piece_bytes])
    sink.close()


def marks(directory: Path) -> str:
    data = (directory / "file").read_bytes()
    assert len(data) % BLOCK_BYTES == 0
    return "".join(chr(byte or ord(".")) for byte in data[::BLOCK_BYTES])


def sent(changes: dict[int, str], truncation_blocks: int) -> bytes:
    blocks = {number: block(changes[number]) for number in sorted(changes)}
    return changed(blocks, truncation_blocks)


@given(OLD, CHANGES, LENGTHS, PIECES)
def test_the_new_file_is_what_the_server_means(
    old: str, changes: dict[int, str], truncation_blocks: int, piece_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "file").write_bytes(b"".join(map(block, old)))
        put(directory, sent(changes, truncation_blocks), piece_bytes)
        assert marks(directory) == model(old, changes, truncation_blocks)


@given(OLD, CHANGES, LENGTHS, CHANGES, LENGTHS, st.floats(0, 1))
def test_an_interrupted_run_does_no_harm_to_the_next(
    old: str,
    first: dict[int, str],
    first_length: int,
    later: dict[int, str],
    second_length: int,
    share: float,
) -> None:
    """The second run sends all that changed since the old file, also what the first one sent.

    No old block beyond the first run's truncation length is valid any more, not in a later run
    either, because whatever is there then was written since.
    """
    second = first | later
    second |= {number: second.get(number, "Z") for number in range(first_length, second_length)}
    data = sent(first, first_length)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "file").write_bytes(b"".join(map(block, old)))
        with suppress(RecoveryError):
            put_part(directory, data, round(share * len(data)))
        put(directory, sent(second, second_length), BLOCK_BYTES)
        assert marks(directory) == model(old, second, second_length)


def put_part(directory: Path, data: bytes, kept: int) -> None:
    sink = ChangedBlocks(
        os.open(directory / "file", os.O_WRONLY),
        size_bytes=len(data),
        block_bytes=BLOCK_BYTES,
        segment_blocks=SEGMENT_BLOCKS,
        check_page=None,
    )
    sink.write(memoryview(data)[:kept])
    sink.close()


@given(st.binary(max_size=4 * BLOCK_BYTES), PIECES)
def test_no_file_of_blocks_writes_past_a_segment(data: bytes, piece_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        with suppress(RecoveryError):
            put(Path(name), data, piece_bytes)
        size = (Path(name) / "file").stat().st_size
        assert size <= SEGMENT_BLOCKS * BLOCK_BYTES


@dataclass
class Kept:
    """A sink that keeps what it receives."""

    data: bytearray = field(default_factory=bytearray)

    def write(self, data: memoryview) -> None:
        self.data += data

    def close(self) -> None:
        """Do nothing."""


def read(data: bytes, piece_bytes: int) -> dict[str, bytes]:
    found: dict[str, Kept] = {}

    def open_sink(member: Member) -> Sink:
        return found.setdefault(member.path, Kept())

    reader = TarStream("base.tar", open_sink)
    for at in range(0, len(data), piece_bytes):
        reader.feed(memoryview(data)[at : at + piece_bytes])
    reader.finish()
    return {path: bytes(kept.data) for path, kept in found.items()}


NAMES = st.text("abc/.0", min_size=1, max_size=60)


def leads_elsewhere(name: str) -> bool:
    inner = Path("/inside", os.path.normpath(f"/inside/{name}"))
    return name.startswith("/") or ".." in name.split("/") or not inner.is_relative_to("/inside")


@given(NAMES)
def test_no_name_leads_out_of_its_directory(name: str) -> None:
    try:
        path = checked_path(name)
    except ValueError:
        return
    assert not leads_elsewhere(name)
    assert not path.startswith("/")
    assert os.path.normpath(path) == path, "the same file has one name only"


@given(st.dictionaries(st.text("abc", min_size=1), st.binary(max_size=2000), max_size=5), PIECES)
def test_archives_come_out_as_they_went_in(members: dict[str, bytes], piece_bytes: int) -> None:
    assert read(archive({**members}), piece_bytes) == members


@given(st.binary(max_size=3000), PIECES)
def test_nothing_but_a_failure_comes_of_noise(data: bytes, piece_bytes: int) -> None:
    with suppress(RecoveryError):
        read(data, piece_bytes)


@given(
    st.sampled_from([1024, 2048, 4096, 8192, 16384, 32768]),
    st.binary(min_size=1, max_size=300),
    st.integers(0, 2**32 - 2),
)
def test_the_checksum_is_that_of_the_plain_algorithm(
    size_bytes: int, pattern: bytes, number: int
) -> None:
    page = (pattern * (size_bytes // len(pattern) + 1))[:size_bytes]
    assert checksum(page, number) == plain_checksum(page, number)


def plain_checksum(page: bytes, number: int) -> int:
    """Return the checksum, computed word by word."""
    data = page[:8] + b"\0\0" + page[10:]
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    words += [0] * len(START_SUMS) * LAST_ROUNDS
    sums = list(START_SUMS)
    for at, word in enumerate(words):
        mixed = sums[at % len(sums)] ^ word
        sums[at % len(sums)] = mixed * PRIME % 2**32 ^ mixed >> SHIFT
    folded = number
    for value in sums:
        folded ^= value
    return folded % 65535 + 1
