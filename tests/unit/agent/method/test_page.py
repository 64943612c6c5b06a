"""The checksum of a page, compared with pages that PostgreSQL 17 wrote and a plain algorithm.

All pages of real servers are checked in tests/incremental/test_page_checksums.py.
"""

import struct
from pathlib import Path

import pytest

from pgpool_recovery.agent.method.page import checksum, is_sound

PAGES = Path(__file__).with_name("pages_of_postgresql_17")
"""The first two pages of pg_tablespace's index on its name (1213/2698), from initdb -k."""
BLOCK_BYTES = 8192
LATER_LSN = 2**64 - 1


@pytest.fixture
def pages() -> list[bytes]:
    data = PAGES.read_bytes()
    return [data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)]


def stored(page: bytes) -> int:
    (value,) = struct.unpack_from("<H", page, 8)
    return int(value)


def test_pages_that_a_server_wrote(pages: list[bytes]) -> None:
    assert [checksum(page, number) for number, page in enumerate(pages)] == list(map(stored, pages))
    assert all(is_sound(page, number, LATER_LSN) for number, page in enumerate(pages))


def test_a_page_at_another_place(pages: list[bytes]) -> None:
    assert not is_sound(pages[0], 1, LATER_LSN)


@pytest.mark.parametrize("at", [0, 11, 14, 100, 4095, 8191])
def test_a_byte_that_changed(pages: list[bytes], at: int) -> None:
    page = bytearray(pages[1])
    page[at] ^= 0x40
    assert not is_sound(bytes(page), 1, LATER_LSN)


def test_a_new_page_has_no_checksum() -> None:
    assert is_sound(bytes(BLOCK_BYTES), 7, LATER_LSN)


def test_a_page_that_was_written_after_the_start_may_be_torn(pages: list[bytes]) -> None:
    high, low = struct.unpack_from("<II", pages[1])
    lsn = high << 32 | low
    torn = pages[1][:4096] + bytes(4096)
    assert is_sound(torn, 1, lsn)
    assert not is_sound(torn, 1, lsn + 1)
