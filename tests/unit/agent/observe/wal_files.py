"""WAL files of an archive, small ones."""

from pathlib import Path

from tests.unit.plan.archive import head
from tests.unit.plan.situation import wal
from tests.unit.plan.words import OddWords

SIZE = 64 * 1024
NAMES = tuple(f"0000000100000000000000{number:02X}" for number in range(0x33, 0x37))
FIRST, SECOND, *_ = NAMES
OF_PRIMARY = wal(segment_bytes=SIZE)


def contents(name: str) -> bytes:
    """Return a whole WAL file, whose header is the one that belongs to its name."""
    return head(OF_PRIMARY, OddWords(name)) + bytes(range(256)) * (SIZE // 256 - 1) + bytes(216)


def make_archive(place: Path, *names: str) -> Path:
    """Make a directory with these files."""
    place.mkdir()
    for name in names:
        (place / name).write_bytes(contents(name))
    return place


def make_data(place: Path) -> Path:
    """Make an empty data directory."""
    place.mkdir(mode=0o700)
    return place
