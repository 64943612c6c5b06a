"""The WAL in a node's own pg_wal: which of it is not the primary's past, and how that is proven.

PostgreSQL does not check. A standby replays whatever is in its pg_wal, even past the point where
the primary left a timeline, and streams from there. Two histories whose timelines have the same
number and the same start look alike to it, and to pg_rewind.
"""

from collections.abc import Iterable, Iterator

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import (
    History,
    Lsn,
    Point,
    TimelineId,
    file_of_segment,
    segment_of_file,
)

PARTIAL = ".partial"
MAX_PART_BYTES = 64 * 2**20
"""The largest part of a file to compare at once, since pg_read_binary_file holds it in memory."""
MAX_COMPARED_BYTES = 256 * 2**20
"""How much WAL is compared on each side of a position: about a second on either host."""
MAX_SUMMARIES = 8
CONTROL = "pg_control"
"""Stands for a file name: the control file, for the checkpoint in it."""
CHECKPOINT_IN_CONTROL, CHECKPOINT_IN_RECORD = 40, 26
"""The offset of the struct CheckPoint in ControlFileData and in its WAL record (14 to 18)."""
COMPARED_OF_CHECKPOINT = slice(36, 72)
"""From nextMulti to time: the fields that replay does not change in the control file, as it does
nextXid, and that differ between two histories that diverged earlier."""
NEWEST_LAYOUT = 18
PAGE_BYTES = 8192
LEAST_BYTES = 512
"""Two histories may share less than this by chance: a page header, and records without data."""


@record
class OwnWal:
    """The contents of the pg_wal of a data directory.

    `files` are the WAL files whose first page matches their name, and those that end with
    ``.partial``. `histories` are the history files, and `unreadable` the names of those that cannot
    be read or parsed. `summaries` are the names in pg_wal/summaries.
    """

    files: tuple[str, ...] = ()
    histories: tuple[History, ...] = ()
    unreadable: tuple[str, ...] = ()
    summaries: tuple[str, ...] = ()

    def of(self, timelines: Iterable[TimelineId]) -> Iterator[str]:
        """Yield the WAL files of these timelines, without partial ones."""
        known = set(timelines)
        return (name for name in self.files if len(name) == 24 and timeline_of(name) in known)


NO_WAL = OwnWal()


@record
class Part:
    """A part of a file in pg_wal."""

    name: str
    offset: int
    size_bytes: int


@record
class Compared:
    """The result of comparing a node's WAL with the primary's own, byte for byte.

    `is_same` is about the WAL up to `upto`; None if there is nothing to compare. `whole` are the
    node's WAL files that equal the primary's from beginning to end.
    """

    upto: Point
    is_same: bool | None
    whole: tuple[str, ...] = ()


def timeline_of(name: str) -> TimelineId:
    """Return the timeline that the name of a WAL file, or of a summary, begins with."""
    return TimelineId(int(name[:8], 16))


def history_file(timeline: TimelineId) -> str:
    """Return the name of a history file.

    >>> history_file(TimelineId(10))
    '0000000A.history'
    """
    return f"{timeline:08X}.history"


def strays(own: OwnWal, history: History, segment_bytes: int) -> tuple[str, ...]:
    """Return the files that are not the primary's past, whatever they contain.

    The segment in which the primary left a timeline is one of them, since replay may pass that
    point. The history of an older timeline that the primary was never on is not: the history of the
    current timeline is there too, and the older one fills a gap in the numbers at which the search
    for newer timelines would end (findNewestTimeLine).
    """
    return (
        *(name for name in own.files if _is_stray(name, history, segment_bytes)),
        *(history_file(one.current) for one in own.histories if leads_astray(one, history)),
        *own.unreadable,
    )


def _is_stray(name: str, history: History, segment_bytes: int) -> bool:
    timeline, segment = timeline_of(name), segment_of_file(name, segment_bytes)
    if timeline not in history.timelines or segment < history.begin_of(timeline) // segment_bytes:
        return True
    end = history.end_of(timeline)
    return end is not None and segment >= end // segment_bytes


def leads_astray(one: History, primary: History) -> bool:
    """Return whether a history file would make a standby follow another server than the primary."""
    if one.current not in primary.timelines:
        return one.current > primary.current
    return one.ends != primary.ends[: primary.timelines.index(one.current)]


def covering(segment: int, history: History, segment_bytes: int) -> TimelineId:
    """Return the timeline that the primary was on at the end of a segment.

    PostgreSQL reads the file of that timeline first (XLogFileReadAnyTLI).
    """
    begun = (t for t in history.timelines if history.begin_of(t) // segment_bytes <= segment)
    return max(begun)


def last_segment(point: Point, segment_bytes: int) -> int:
    """Return the number of the segment with the last byte before a position."""
    return max(0, point.lsn - 1) // segment_bytes


def names_of(segment: int, upto: Lsn, history: History, segment_bytes: int) -> tuple[str, ...]:
    """Return the files that hold a segment of the primary's past up to a position, best first.

    If the primary left a timeline within the segment, the file of the next timeline begins with a
    copy of the WAL before that point (XLogInitNewTimeline).
    """
    end = min(upto, (segment + 1) * segment_bytes)
    own = history.timeline_at(Lsn(max(0, end - 1)))
    copies = (
        timeline
        for timeline in history.timelines
        if timeline > own
        and history.begin_of(timeline) // segment_bytes == segment
        and history.begin_of(timeline) >= end
    )
    return tuple(file_of_segment(t, segment, segment_bytes) for t in (own, *copies))


def parts_before(point: Point, segment_bytes: int, name: str, segment: int) -> list[Part]:
    """Return the parts of a file up to a position; only the last ones of a large file."""
    end = min(point.lsn - segment * segment_bytes, segment_bytes)
    begin = max(0, end - MAX_COMPARED_BYTES)
    return _parts(name, begin, end)


def parts_of_whole(name: str, segment_bytes: int) -> list[Part]:
    """Return all parts of a file."""
    return _parts(name, 0, segment_bytes)


def _parts(name: str, begin: int, end: int) -> list[Part]:
    return [
        Part(name, offset, min(MAX_PART_BYTES, end - offset))
        for offset in range(begin, end, MAX_PART_BYTES)
    ]


def part_of_control() -> Part:
    """Return the part of the checkpoint in the control file that is compared."""
    wanted = COMPARED_OF_CHECKPOINT
    return Part(CONTROL, CHECKPOINT_IN_CONTROL + wanted.start, wanted.stop - wanted.start)


def offset_in_wal(checkpoint: Lsn, segment_bytes: int) -> int | None:
    """Return the offset of that part in the segment of the checkpoint's record.

    None if the record crosses a page boundary before the end of the part.
    """
    begin = checkpoint + CHECKPOINT_IN_RECORD + COMPARED_OF_CHECKPOINT.start
    end = checkpoint + CHECKPOINT_IN_RECORD + COMPARED_OF_CHECKPOINT.stop
    is_on_one_page = checkpoint // PAGE_BYTES == end // PAGE_BYTES
    return begin % segment_bytes if is_on_one_page else None


def segments_before(point: Point, segment_bytes: int) -> range:
    """Return the numbers of the segments up to a position that are compared."""
    last = last_segment(point, segment_bytes)
    return range(max(0, last + 1 - max(1, MAX_COMPARED_BYTES // segment_bytes)), last + 1)


def files_from(own: OwnWal, point: Point, history: History, segment_bytes: int) -> tuple[str, ...]:
    """Return the node's files since the segment of a position that may be the primary's past."""
    first, gone = last_segment(point, segment_bytes), set(strays(own, history, segment_bytes))
    names = (
        name
        for name in own.of(history.timelines)
        if name not in gone and segment_of_file(name, segment_bytes) >= first
    )
    return tuple(sorted(names, key=lambda name: (name[8:], name[:8])))


def summaries_of(own: OwnWal, point: Point) -> tuple[str, ...]:
    """Return the last summaries up to a position; their names hold timeline, start and end."""
    names = sorted(
        name
        for name in own.summaries
        if timeline_of(name) == point.timeline and int(name[24:40], 16) <= point.lsn
    )
    return tuple(names[-MAX_SUMMARIES:])
