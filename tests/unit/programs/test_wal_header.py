"""The header of a WAL file, as a server of every supported major version has written it."""

import pytest

from pgpool_recovery.domain.wal import Lsn, TimelineId, segment_of_file
from pgpool_recovery.domain.wal_page import LONG_HEADER_BYTES, SegmentHead, read_head
from tests.majors import SUPPORTED
from tests.unit.programs.recorded import on_each_major, recorded

SEGMENT_BYTES = 16 * 2**20


def header(major: int) -> tuple[str, bytes, str]:
    """Return the name of a WAL file, its header, and the system identifier of its server."""
    name, first, system = recorded(major, "wal_header.txt").split()
    return name, bytes.fromhex(first), system


def head(major: int) -> SegmentHead:
    found = read_head(header(major)[1])
    assert found is not None
    return found


@on_each_major
def test_header_is_read(major: int) -> None:
    name, first, system = header(major)
    assert len(first) == LONG_HEADER_BYTES
    begins = Lsn(segment_of_file(name, SEGMENT_BYTES) * SEGMENT_BYTES)
    expected = (TimelineId(int(name[:8], 16)), begins, system, SEGMENT_BYTES)
    found = head(major)
    assert expected == (
        found.timeline,
        found.address,
        found.system_identifier,
        found.segment_bytes,
    )


@on_each_major
@pytest.mark.parametrize("reader", SUPPORTED)
def test_version_that_wrote_it_is_told(major: int, reader: int) -> None:
    assert head(major).is_of(reader) == (major == reader)


@on_each_major
def test_header_that_is_cut_off_or_of_another_page(major: int) -> None:
    first = header(major)[1]
    assert read_head(first[:-1]) is None
    without_flag = first[:2] + bytes(2) + first[4:]
    assert read_head(without_flag) is None
    assert read_head(b"\0\0" + first[2:]) is None
