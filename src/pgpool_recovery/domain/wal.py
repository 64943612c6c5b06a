"""Positions in the WAL, timelines, and the history that leads from one to the next."""

import re
from typing import NewType

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record

Lsn = NewType("Lsn", int)
TimelineId = NewType("TimelineId", int)

TIMELINE_PATTERN = re.compile(r"[0-9]{1,10}")
LSN_PATTERN = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})", re.IGNORECASE)


def parse_lsn(text: str) -> Lsn:
    """Read a position as PostgreSQL prints it.

    >>> parse_lsn("1/2000028")
    4328521768
    """
    match = LSN_PATTERN.fullmatch(text)
    if match is None:
        raise Refused(f'"{text}" is not a position in the WAL')
    return Lsn((int(match[1], 16) << 32) + int(match[2], 16))


def lsn_text(lsn: Lsn) -> str:
    """Return a position as PostgreSQL prints it up to 18; it reads 19's, and 19 reads this.

    In a log of 19 there are zeros after the slash, up to eight digits, so that one searches there
    for what stands behind it. A message that is made of facts does not know who prints them: to
    tell it everywhere, or to change the text of messages at the end, would cost more than it gains.

    >>> lsn_text(Lsn(4328521768))
    '1/2000028'
    """
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@record
class Point:
    """A position on a timeline."""

    timeline: TimelineId
    lsn: Lsn

    def __str__(self) -> str:
        return f"{lsn_text(self.lsn)} on timeline {self.timeline}"


@record
class History:
    """The timelines of a server, oldest first: each with the position where the next one began.

    `current` is the one that it writes, which has no end.
    """

    current: TimelineId
    ends: tuple[Point, ...] = ()

    def end_of(self, timeline: TimelineId) -> Lsn | None:
        """Return where a timeline was left; None for the current one. KeyError for a stranger."""
        if timeline == self.current:
            return None
        return {point.timeline: point.lsn for point in self.ends}[timeline]

    def begin_of(self, timeline: TimelineId) -> Lsn:
        """Return where a timeline began: where the one before it was left. KeyError likewise."""
        begins = [Lsn(0), *(point.lsn for point in self.ends)]
        return dict(zip(self.timelines, begins, strict=True))[timeline]

    def timeline_at(self, lsn: Lsn) -> TimelineId:
        """Return the timeline on which the server was at a position.

        >>> promoted = History(TimelineId(2), (Point(TimelineId(1), Lsn(100)),))
        >>> [promoted.timeline_at(Lsn(lsn)) for lsn in (99, 100)]
        [1, 2]
        """
        return next((point.timeline for point in self.ends if lsn < point.lsn), self.current)

    @property
    def timelines(self) -> tuple[TimelineId, ...]:
        """Return all timelines, oldest first."""
        return (*(point.timeline for point in self.ends), self.current)

    def has(self, point: Point) -> bool:
        """Say whether the server's own past goes through a point.

        >>> promoted = History(TimelineId(2), (Point(TimelineId(1), Lsn(100)),))
        >>> promoted.has(Point(TimelineId(1), Lsn(100)))
        True
        >>> promoted.has(Point(TimelineId(1), Lsn(101)))
        False
        """
        if point.timeline not in self.timelines:
            return False
        end = self.end_of(point.timeline)
        return end is None or point.lsn <= end

    def fork(self, other: "History") -> Point | None:
        """Return where the ways of two servers part: the last point that both went through.

        As pg_rewind finds it (findCommonAncestorTimeline): on the last timeline that has the same
        number and the same begin for both. None when they have none in common, or both are on it.

        >>> one = History(TimelineId(2), (Point(TimelineId(1), Lsn(100)),))
        >>> other = History(TimelineId(2), (Point(TimelineId(1), Lsn(70)),))
        >>> one.fork(other)
        Point(timeline=1, lsn=70)
        """
        common = None
        for timeline, its in zip(self.timelines, other.timelines, strict=False):
            if timeline != its or self.begin_of(timeline) != other.begin_of(timeline):
                break
            common = timeline
        if common is None:
            return None
        ends = [end for end in (self.end_of(common), other.end_of(common)) if end is not None]
        return Point(common, min(ends)) if ends else None


def parse_history(text: str, current: TimelineId) -> History:
    r"""Read a timeline history file (backend/access/transam/timeline.c); Refused when it is none.

    >>> parse_history("1\t0/3000060\tno recovery target\n", TimelineId(2)).end_of(TimelineId(1))
    50331744
    """
    ends = []
    for number, line in enumerate(lines_of(text), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        timeline, lsn = (*words, "")[:2]
        if not (TIMELINE_PATTERN.fullmatch(timeline) and LSN_PATTERN.fullmatch(lsn)):
            raise Refused(
                f"the history file of timeline {current} cannot be read",
                detail=f"Its line {number} does not say where a timeline ended.",
            )
        ends.append(Point(TimelineId(int(timeline)), parse_lsn(lsn)))
    return History(current, tuple(ends))


def segment_number(lsn: Lsn, segment_bytes: int) -> int:
    """Return the number of the WAL segment that holds a position."""
    return lsn // segment_bytes


def segment_of_file(name: str, segment_bytes: int) -> int:
    """Return the number of the segment that a WAL file holds.

    >>> segment_of_file("000000010000000100000002", 16 * 2**20)
    258
    """
    return int(name[8:16], 16) * (2**32 // segment_bytes) + int(name[16:24], 16)


def file_of_segment(timeline: TimelineId, number: int, segment_bytes: int) -> str:
    """Return the name of the WAL file of a segment.

    >>> file_of_segment(TimelineId(1), 258, 16 * 2**20)
    '000000010000000100000002'
    """
    log, segment = divmod(number, 2**32 // segment_bytes)
    return f"{timeline:08X}{log:08X}{segment:08X}"
