"""Values read from a server's own files, checked with real bytes of each major version.

`server_bytes.json` comes from servers that were stopped in fast mode. It has the beginning of the
control file, the last page of the WAL and the one before (zlib, base 85), and the output of
pg_controldata.
"""

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from pgpool_recovery.domain.control_file import STANDBY_PARAMETERS, required_settings
from pgpool_recovery.domain.wal import Lsn
from pgpool_recovery.domain.wal_page import WalPage, page_begin, shutdown_at_the_end

SERVERS: dict[str, Any] = json.loads(Path(__file__).with_name("server_bytes.json").read_text())
SEGMENT_BYTES = 16 * 1024 * 1024
PAGE_BYTES = 8192
CHANGED = dict(zip(STANDBY_PARAMETERS, (57, 9, 11, 3, 71), strict=True))
"""The settings of those servers."""


def contents(major: str, name: str) -> bytes:
    return zlib.decompress(base64.b85decode(SERVERS[major][name]))


def last_pages(major: str) -> tuple[WalPage, WalPage]:
    begin = page_begin(Lsn(SERVERS[major]["end"]), PAGE_BYTES)
    before = WalPage(Lsn(begin - PAGE_BYTES), contents(major, "before"), SEGMENT_BYTES)
    return before, WalPage(begin, contents(major, "last"), SEGMENT_BYTES)


@pytest.mark.parametrize("major", SERVERS)
def test_settings_that_a_standby_must_match(major: str) -> None:
    assert required_settings(contents(major, "control")) == CHANGED


def test_no_control_file() -> None:
    assert required_settings(b"") is None
    assert required_settings(bytes(512)) is None
    assert required_settings(struct.pack("<5iIId", *(0,) * 5, 0, 7, 1234567.0)) is None


@pytest.mark.parametrize("major", SERVERS)
def test_wal_ends_with_the_shutdown_checkpoint(major: str) -> None:
    assert shutdown_at_the_end(*last_pages(major)) == SERVERS[major]["shutdown"]


@pytest.mark.parametrize("major", SERVERS)
def test_wal_that_ends_elsewhere(major: str) -> None:
    """One record less, something after it, another position, and a page of a recycled file."""
    before, last = last_pages(major)
    for cut in (8, 120, len(last.contents) - 40):
        shorter = WalPage(last.begin, last.contents[:-cut], SEGMENT_BYTES)
        assert shutdown_at_the_end(before, shorter) is None
    longer = WalPage(last.begin, last.contents + bytes(24), SEGMENT_BYTES)
    assert shutdown_at_the_end(before, longer) is None
    moved = WalPage(Lsn(last.begin + SEGMENT_BYTES), last.contents, SEGMENT_BYTES)
    assert shutdown_at_the_end(before, moved) is None


def record(begin: int, redo: int) -> bytes:
    """Return the part of a shutdown checkpoint that is read, with the given redo pointer."""
    head = struct.pack("<IIQBBxxI", 114, 0, 0, 0, 0, 0)
    return (head + bytes([255, 88]) + struct.pack("<Q", redo)).ljust(120, b"\1")


def page(begin: int, body: bytes, *, segment_bytes: int = SEGMENT_BYTES) -> WalPage:
    size = 40 if begin % segment_bytes == 0 else 24
    header = struct.pack("<HHIQ", 0xD110, 0, 1, begin).ljust(size, b"\0")
    return WalPage(Lsn(begin), header + body, segment_bytes)


@pytest.mark.parametrize("on_the_page_before", [8, 24, 56, 112])
@pytest.mark.parametrize("next_begin", [3 * PAGE_BYTES, SEGMENT_BYTES])
def test_record_that_crosses_pages(on_the_page_before: int, next_begin: int) -> None:
    """The header of the next page is in it, which is longer on a segment's first page."""
    begin = next_begin - on_the_page_before
    whole = record(begin, begin)
    first, rest = whole[:on_the_page_before], whole[on_the_page_before:]
    before = page(next_begin - PAGE_BYTES, bytes(PAGE_BYTES - 24 - on_the_page_before) + first)
    assert shutdown_at_the_end(before, page(next_begin, rest)) == begin
    assert shutdown_at_the_end(None, page(next_begin, rest)) is None
    online = record(begin, begin - 64)
    filler = before.body[:-on_the_page_before]
    earlier = page(next_begin - PAGE_BYTES, filler + online[:on_the_page_before])
    last = page(next_begin, online[on_the_page_before:])
    assert shutdown_at_the_end(earlier, last) is None


def test_record_that_ends_with_its_page() -> None:
    begin = 2 * PAGE_BYTES - 120
    last = page(PAGE_BYTES, bytes(PAGE_BYTES - 24 - 120) + record(begin, begin))
    assert page_begin(last.end, PAGE_BYTES) == PAGE_BYTES
    assert shutdown_at_the_end(None, last) == begin
    renamed = page(0, bytes(16 + PAGE_BYTES - 40 - 136) + record(begin, begin))
    stale = WalPage(last.begin, renamed.contents, SEGMENT_BYTES)
    assert len(stale.contents) == PAGE_BYTES
    assert shutdown_at_the_end(None, stale) is None
