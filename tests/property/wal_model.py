"""A small model of what PostgreSQL does with WAL when a standby starts, and of who wrote what.

A record has one kilobyte and knows which server wrote it; a segment has eight of them. What the
model leaves out only makes it less careful than PostgreSQL: any record fits after any other, as in
two histories of the same layout. The rest is as in xlogrecovery.c. The target is the newest
timeline that a search without gaps finds. Files of newer timelines come first, for each timeline
the archive before pg_wal, and never a timeline that is older than that of the last file. Then the
server streams, on the timeline to which the history assigns the position, from the start of the
segment. At the end of a timeline it fetches the missing history files and begins again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from pgpool_recovery.domain.wal import (
    History,
    Lsn,
    Point,
    TimelineId,
    file_of_segment,
)

RECORD = 1024
PER_SEGMENT = 8
SEGMENT = RECORD * PER_SEGMENT
MAX_TURNS = 200

Writer = str
Content = dict[int, Writer]
"""What a file holds: by number of the record, who wrote it."""
Files = dict[str, Content]
Histories = dict[int, History]


@dataclass(frozen=True)
class Branch:
    """What one server has written since its promotion, up to `end`."""

    writer: Writer
    history: History
    before: "Branch | None"
    begin: int
    end: int

    def writer_of(self, record: int) -> Writer | None:
        """Return who wrote a record of this branch's past; None beyond its end."""
        if record >= self.end:
            return None
        if self.before is not None and record < self.begin:
            return self.before.writer_of(record)
        return self.writer

    def timeline_of(self, record: int) -> TimelineId:
        """Return the timeline of a record."""
        return self.history.timeline_at(Lsn(record * RECORD))

    def files(self, first: int, *, upto: int | None = None) -> Files:
        """Return the WAL files of all its timelines, from a segment up to a record."""
        end, files = self.end if upto is None else min(upto, self.end), Files()
        for timeline in self.history.timelines:
            left = self.history.end_of(timeline)
            stop = end if left is None else min(end, left // RECORD)
            begin = self.history.begin_of(timeline) // RECORD
            if stop <= begin:
                continue
            for segment in range(max(first, begin // PER_SEGMENT), -(-stop // PER_SEGMENT)):
                records = range(segment * PER_SEGMENT, min(stop, (segment + 1) * PER_SEGMENT))
                content = {number: self.writer_of(number) or "" for number in records}
                files[file_of_segment(timeline, segment, SEGMENT)] = content
        return files

    def histories(self) -> Histories:
        """Return the history files of its timelines."""
        found = Histories()
        for number, timeline in enumerate(self.history.timelines):
            if timeline > 1:
                found[timeline] = History(timeline, self.history.ends[:number])
        return found


@dataclass
class Disk:
    """A pg_wal, or an archive."""

    files: Files = field(default_factory=dict)
    histories: Histories = field(default_factory=dict)


@dataclass(frozen=True)
class Primary:
    """The primary, with its branch and the WAL that it still has."""

    branch: Branch
    oldest: int
    disk: Disk


class StuckError(Exception):
    """The server ends, or never streams."""


@dataclass
class Standby:
    """A server in recovery, with its position and the writer of each replayed record."""

    pg_wal: Disk
    archive: Disk
    primary: Primary
    position: int
    last_file: int
    replayed: Content
    target: History

    def follow(self) -> None:
        """Continue until it has streamed all that the primary has; StuckError if it never does."""
        for _ in range(MAX_TURNS):
            self.replay_files()
            if self.stream():
                return
        raise StuckError("it goes round in circles")

    def replay_files(self) -> None:
        """Replay what is in its archive and its pg_wal."""
        while (writer := self.read()) is not None:
            self.replayed[self.position] = writer
            self.position += 1

    def read(self) -> Writer | None:
        """Return who wrote the next record in the file that is used; None if there is none."""
        segment = self.position // PER_SEGMENT
        for timeline in reversed(self.target.timelines):
            if timeline < self.last_file:
                return None
            if self.target.begin_of(timeline) // SEGMENT > segment:
                continue
            name = file_of_segment(timeline, segment, SEGMENT)
            for disk in (self.archive, self.pg_wal):
                if name in disk.files:
                    self.last_file = timeline
                    return disk.files[name].get(self.position)
        return None

    def stream(self) -> bool:
        """Receive what the primary sends on one timeline; return whether that is everything."""
        branch, here = self.primary.branch, Lsn(self.position * RECORD)
        timeline = self.target.timeline_at(here)
        segment = self.position // PER_SEGMENT
        if timeline < self.last_file:
            raise StuckError("the last file was of a later timeline")
        if timeline not in branch.history.timelines:
            raise StuckError(f"the primary was never on timeline {timeline}")
        left = branch.history.end_of(timeline)
        stop = branch.end if left is None else left // RECORD
        if segment * PER_SEGMENT > stop or segment < self.primary.oldest:
            raise StuckError("the primary has no WAL from there on")
        self._fetch_histories(timeline)
        self._receive(timeline, segment, stop)
        if left is None:
            if self.position > branch.end:
                raise StuckError("it is ahead of the primary")
            return self.position == branch.end
        self._rescan(timeline)
        return False

    def _fetch_histories(self, timeline: TimelineId) -> None:
        for number in range(timeline, self.primary.branch.history.current + 1):
            if number > 1 and not self._history(number):
                if number not in self.primary.disk.histories:
                    raise StuckError(f"there is no history of timeline {number}")
                self.pg_wal.histories[number] = self.primary.disk.histories[number]

    def _receive(self, timeline: TimelineId, segment: int, stop: int) -> None:
        self.last_file = timeline
        for number in range(segment, -(-stop // PER_SEGMENT)):
            name = file_of_segment(timeline, number, SEGMENT)
            file = self.pg_wal.files.setdefault(name, Content())
            for record in range(number * PER_SEGMENT, min(stop, (number + 1) * PER_SEGMENT)):
                file[record] = self.primary.branch.writer_of(record) or ""
        while self.position < stop:
            name = file_of_segment(timeline, self.position // PER_SEGMENT, SEGMENT)
            self.replayed[self.position] = self.pg_wal.files[name][self.position]
            self.position += 1

    def _rescan(self, timeline: TimelineId) -> None:
        """Take a newer timeline as the target, unless it left this one at an earlier position."""
        newest = newest_timeline(self.target.current, self._history)
        history = self._history(newest)
        if history is None or timeline not in history.timelines:
            return
        end = history.end_of(timeline)
        if end is not None and end < self.position * RECORD:
            raise StuckError("new timeline forked off before the current recovery point")
        self.target = history

    def _history(self, number: int) -> History | None:
        return self.archive.histories.get(number) or self.pg_wal.histories.get(number)


def newest_timeline(start: int, history: Callable[[int], History | None]) -> int:
    """Return the last timeline of a sequence without a gap (findNewestTimeLine)."""
    while history(start + 1) is not None:
        start += 1
    return start


def start(
    pg_wal: Disk,
    archive: Disk,
    primary: Primary,
    redo: Point,
    end: Point,
    data: Content,
    checkpoint: Writer | None,
) -> Standby:
    """Start a server on a data directory; raise StuckError if it ends at once.

    `data` has the writer of each record in its pages, all up to `end`. `checkpoint` is the writer
    of the checkpoint at which it begins. A file that has another record there has no valid
    checkpoint, and the server requests the WAL from the primary.
    """

    def find(number: int) -> History | None:
        return archive.histories.get(number) or pg_wal.histories.get(number)

    newest = newest_timeline(max(redo.timeline, end.timeline), find)
    target = find(newest) or History(TimelineId(newest))
    for point in (redo, Point(end.timeline, Lsn(max(0, end.lsn - 1)))):
        if target.timeline_at(point.lsn) != point.timeline:
            raise StuckError("the target is not a child of this server's history")
    first = redo.lsn // RECORD
    standby = Standby(pg_wal, archive, primary, first, 0, dict(data), target)
    if standby.read() != checkpoint:
        standby.last_file = 0
        standby.stream()
    standby.follow()
    return standby
