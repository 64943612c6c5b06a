"""WAL positions, timelines, and timeline histories."""

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
    """Parse an LSN as PostgreSQL prints it; raise Refused for anything else.

    >>> parse_lsn("1/2000028")
    4328521768
    """
    match = LSN_PATTERN.fullmatch(text)
    if match is None:
        raise Refused(f'"{text}" is not a WAL position')
    return Lsn((int(match[1], 16) << 32) + int(match[2], 16))


def lsn_text(lsn: Lsn) -> str:
    """Return an LSN as PostgreSQL up to 18 prints it; all versions read its form and that of 19.

    19 pads the part after the slash with zeros to eight digits, so its log must be searched for
    that part of an LSN from our messages. A message is made of facts, without the version of the
    server. Passing the version everywhere, or rewriting messages at the end, would cost more than
    it gains.

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
    """The timelines of a server: `ends` has the former ones, oldest first, and where each was left.

    `current` is the one that it writes, which has no end.
    """

    current: TimelineId
    ends: tuple[Point, ...] = ()

    def end_of(self, timeline: TimelineId) -> Lsn | None:
        """Return where a timeline was left; None for the current one. Unknown ones: KeyError."""
        if timeline == self.current:
            return None
        return {point.timeline: point.lsn for point in self.ends}[timeline]

    def begin_of(self, timeline: TimelineId) -> Lsn:
        """Return where a timeline began, which is where its parent was left; KeyError as above."""
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
        """Return whether the server's own past goes through a point.

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
        """Return where two servers diverged: the last point that both went through.

        It is found as by pg_rewind (findCommonAncestorTimeline): on the last timeline that has the
        same number and the same start for both. None if they share no timeline, or if both are
        still on the last shared one.

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
    r"""Parse a timeline history file (backend/access/transam/timeline.c); Refused if it is not one.

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
                f"could not read the history file of timeline {current}",
                detail=f"Line {number} does not say where a timeline ended.",
            )
        ends.append(Point(TimelineId(int(timeline)), parse_lsn(lsn)))
    return History(current, tuple(ends))


def segment_number(lsn: Lsn, segment_bytes: int) -> int:
    """Return the number of the WAL segment that holds a position."""
    return lsn // segment_bytes


def segment_of_file(name: str, segment_bytes: int) -> int:
    """Return the segment number of a WAL file.

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
