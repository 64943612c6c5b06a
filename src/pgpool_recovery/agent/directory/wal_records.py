"""Have pg_waldump print records of the WAL that a data directory has."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pgpool_recovery.agent.directory.local_wal import wal_files
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.wal import Lsn, TimelineId, file_of_segment, lsn_text, segment_of_file
from pgpool_recovery.domain.wal_page import LONG_HEADER_BYTES, read_head
from pgpool_recovery.host.program import DEFAULT_TIMEOUT_S, Completed, run
from pgpool_recovery.host.stop import Stop


@record
class Stretch:
    """A part of the WAL of one timeline, up to `end`, or to where the WAL ends."""

    timeline: TimelineId
    begin: Lsn
    end: Lsn | None = None


def runs(directory: Path, stretch: Stretch) -> Iterator[Stretch]:
    """Yield the parts of a stretch whose files are in pg_wal and follow each other."""
    there = dict(_segments(directory, stretch.timeline))
    size = next(iter(there.values()), 0)
    for number in sorted(there):
        begin, end = number * size, (number + 1) * size
        if end <= stretch.begin or (stretch.end is not None and begin >= stretch.end):
            continue
        if number - 1 not in there or begin <= stretch.begin:
            yield replace(stretch, begin=max(stretch.begin, Lsn(begin)))


def dump_records(
    directory: Path,
    bin_directory: str,
    stretch: Stretch,
    options: Sequence[str],
    stop: Stop,
    *,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    on_line: Callable[[str], None] | None = None,
) -> Completed | None:
    """Run pg_waldump over a stretch, as far as its files follow each other in pg_wal.

    None if the first one is not there. pg_waldump is told the first and the last file. Otherwise it
    takes the size of a segment from whatever file it finds first, and fails if that was created in
    advance, and is empty (search_directory in src/bin/pg_waldump/pg_waldump.c). Raises what `run`
    raises; whether pg_waldump has succeeded is not checked.
    """
    numbers = _numbers(directory, stretch)
    if numbers is None:
        return None
    first, last, size = numbers
    argv = [f"{bin_directory}/pg_waldump", "--path", str(directory / "pg_wal"), *options]
    argv += ["--timeline", str(stretch.timeline), "--start", lsn_text(stretch.begin)]
    if stretch.end is not None and stretch.end <= (last + 1) * size:
        argv += ["--end", lsn_text(stretch.end)]
    argv += [file_of_segment(stretch.timeline, number, size) for number in (first, last)]
    return run(argv, stop, timeout_s=timeout_s, on_line=on_line)


def _numbers(directory: Path, stretch: Stretch) -> tuple[int, int, int] | None:
    """Return the numbers of the first and last segment that are read, and the size of each."""
    there = dict(_segments(directory, stretch.timeline))
    if not there or (stretch.end is not None and stretch.end <= stretch.begin):
        return None
    size = next(iter(there.values()))
    first = last = stretch.begin // size
    if first not in there:
        return None
    upto = None if stretch.end is None else (stretch.end - 1) // size
    while last != upto and last + 1 in there:
        last += 1
    return first, last, size


def _segments(directory: Path, timeline: TimelineId) -> Iterator[tuple[int, int]]:
    """Yield the number and size of each segment, without the files that are for later use."""
    for file in wal_files(directory, [timeline]):
        try:
            with file.open("rb") as opened:
                head = read_head(opened.read(LONG_HEADER_BYTES))
        except FileNotFoundError:  # A running server has recycled it in the meantime.
            continue
        if head is None or head.segment_bytes == 0:
            continue
        number = segment_of_file(file.name, head.segment_bytes)
        if head.address == number * head.segment_bytes:
            yield number, head.segment_bytes
