"""pg_waldump reads the WAL that is there, whatever else has the name of a WAL file."""

import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.wal_records import Stretch, dump_records, runs
from pgpool_recovery.domain.wal import Lsn, TimelineId, file_of_segment, lsn_text
from pgpool_recovery.domain.wal_page import HAS_LONG_HEADER, MAGICS
from pgpool_recovery.host.installation import find_bin_directory
from pgpool_recovery.host.program import Completed
from pgpool_recovery.host.stop import Stop
from tests.majors import SUPPORTED

SIZE = 2**24
ONE, TWO = TimelineId(1), TimelineId(2)
PROGRAM = """#!/bin/sh
printf '%s\\n' "$@"
exit 3
"""


def write(
    data: Path, number: int, *, timeline: TimelineId = ONE, page_of: int | None = None
) -> None:
    """Write the first page of a segment, or leave that of another one in a recycled file."""
    begins = (number if page_of is None else page_of) * SIZE
    file = data / "pg_wal" / file_of_segment(timeline, number, SIZE)
    header = (MAGICS[15], HAS_LONG_HEADER, timeline, begins, 0, 1, SIZE, 8192)
    file.write_bytes(struct.pack("<HHIQI4xQII", *header))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory with the segments 5 to 7, and with files that are for later use."""
    (tmp_path / "pg_waldump").write_text(PROGRAM)
    (tmp_path / "pg_waldump").chmod(0o755)
    (tmp_path / "pg_wal").mkdir()
    for number in (5, 6, 7):
        write(tmp_path, number)
    write(tmp_path, 8, page_of=2)
    write(tmp_path, 9)
    write(tmp_path, 6, timeline=TWO)
    for number in (1, 10, 11):
        (tmp_path / "pg_wal" / file_of_segment(ONE, number, SIZE)).touch()
    (tmp_path / "pg_wal" / file_of_segment(ONE, 12, SIZE)).write_bytes(bytes(8192))
    return tmp_path


def dump(data: Path, timeline: TimelineId, begin: int, end: int | None = None) -> Sequence[str]:
    """Return the arguments from --start on with which pg_waldump runs; none if it does not."""
    stretch = Stretch(timeline, Lsn(begin), None if end is None else Lsn(end))
    completed = dump_records(data, str(data), stretch, ["--limit", "1"], Stop())
    if completed is None:
        return ()
    assert completed.status == 3
    first = ["--path", f"{data}/pg_wal", "--limit", "1", "--timeline", str(timeline)]
    words = completed.output.split()
    assert words[: len(first)] == first
    return words[len(first) :]


def words(
    begin: int, first: int, last: int, end: int | None = None, timeline: TimelineId = ONE
) -> list[str]:
    upto = [] if end is None else ["--end", lsn_text(Lsn(end))]
    names = [file_of_segment(timeline, number, SIZE) for number in (first, last)]
    return ["--start", lsn_text(Lsn(begin)), *upto, *names]


def test_files_that_follow_each_other_are_read(data: Path) -> None:
    begin = 6 * SIZE + 40
    assert dump(data, ONE, begin) == words(begin, 6, 7)
    assert dump(data, ONE, 9 * SIZE) == words(9 * SIZE, 9, 9)
    assert dump(data, TWO, begin) == words(begin, 6, 6, timeline=TWO)


def test_the_end_of_a_stretch_is_in_the_last_file(data: Path) -> None:
    """pg_waldump refuses an end that is not, except the position right after it."""
    begin = 5 * SIZE + 40
    for end, last in ((5 * SIZE + 80, 5), (6 * SIZE, 5), (6 * SIZE + 1, 6), (8 * SIZE, 7)):
        assert dump(data, ONE, begin, end) == words(begin, 5, last, end)
    assert dump(data, ONE, begin, 8 * SIZE + 1) == words(begin, 5, 7), "8 is not there"


@pytest.mark.parametrize("number", [4, 8, 10, 12])
def test_nothing_is_read_where_the_first_file_is_not_there(data: Path, number: int) -> None:
    assert dump(data, ONE, number * SIZE + 40) == ()


def test_nothing_is_read_of_an_empty_stretch_or_without_wal(data: Path) -> None:
    assert dump(data, ONE, 5 * SIZE + 40, 5 * SIZE + 40) == ()
    assert dump(data, TimelineId(3), 5 * SIZE) == ()


@pytest.fixture
def cluster() -> Iterator[tuple[str, Path]]:
    """Yield the programs of a PostgreSQL of this host, and a new data directory."""
    found = (find_bin_directory(major, (), Stop()) for major in SUPPORTED)
    programs = next(filter(None, found))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        subprocess.run(["chown", "postgres", made], check=True)
        argv = ["setpriv", "--reuid", "postgres", "--clear-groups", "--"]
        argv += [f"{programs}/initdb", "--no-sync", "--auth", "trust", "-D", f"{made}/data"]
        subprocess.run(argv, check=True, capture_output=True, cwd="/")
        yield str(programs), Path(made) / "data"


@pytest.mark.usefixtures("as_root")
def test_files_created_in_advance_do_not_disturb_pg_waldump(cluster: tuple[str, Path]) -> None:
    """It fails without the names of the files, in whatever order it finds them."""
    programs, data = cluster
    for number in (0, *range(2, 200)):
        (data / "pg_wal" / file_of_segment(ONE, number, SIZE)).touch()

    def read(begin: int, *options: str) -> Completed:
        found = dump_records(data, programs, Stretch(ONE, Lsn(begin)), options, Stop())
        assert found is not None
        return found

    made = read(SIZE, "--rmgr", "Database").output
    assert "rmgr: Database" in made
    assert ", desc: CREATE" in made
    assert read(SIZE, "--limit", "1").status == 0
    assert "could not find a valid record" in read(2 * SIZE - 8192, "--limit", "1").output


@pytest.mark.parametrize(
    ("begin", "end", "begins"),
    [
        (5 * SIZE + 40, None, [5 * SIZE + 40, 9 * SIZE]),
        (6 * SIZE, 7 * SIZE, [6 * SIZE]),
        (2 * SIZE, None, [5 * SIZE, 9 * SIZE]),
        (8 * SIZE, 9 * SIZE, []),
    ],
)
def test_all_that_is_there_is_a_run(
    data: Path, begin: int, end: int | None, begins: list[int]
) -> None:
    """What comes from an archive later is missing in between."""
    stretch = Stretch(ONE, Lsn(begin), None if end is None else Lsn(end))
    assert [run.begin for run in runs(data, stretch)] == begins
    assert {run.end for run in runs(data, stretch)} <= {stretch.end}
