"""Leave a node with only the primary's past: which WAL is moved away and which is put there.

The node's own WAL beyond the fork must go, and so must any other WAL that is not proven to be the
primary's. That alone is not enough. An archive may hold the dead primary's version of the segment
in which the new primary left the timeline, and PostgreSQL reads that one as long as the new
timeline's file is neither in the archive nor in pg_wal (XLogFileReadAnyTLI in xlogrecovery.c). So
that file and the history files are fetched from the primary before the server is started. Once on a
newer timeline, recovery never goes back to an older one.
"""

from collections.abc import Iterable, Iterator

from pgpool_recovery.domain.control_data import SHUT_DOWN
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import (
    History,
    Lsn,
    Point,
    TimelineId,
    file_of_segment,
    segment_of_file,
)
from pgpool_recovery.facts.archived_wal import FromArchive
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.own_wal import (
    NO_WAL,
    covering,
    files_from,
    history_file,
    last_segment,
    leads_astray,
    strays,
    timeline_of,
)
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import RunningServer
from pgpool_recovery.facts.step.standby import KeepToPast
from pgpool_recovery.plan.divergence import (
    Copied,
    Diverged,
    Follows,
    fork_of,
    relate,
)
from pgpool_recovery.plan.situation import Situation

CHECKPOINT_BYTES = 64
"""This much of a checkpoint record includes its checksum; the whole is a bit over 100 bytes."""
FIRST_RECORD_BYTES = 192
"""More than a shutdown checkpoint, or a page header and the first record after a fork, takes up."""


def point_to_compare(facts: Facts) -> Point | None:
    """Return the point up to which the node's WAL must be the primary's; None if there is none.

    For a running server, it is the end of what it has received. For data in the primary's past, it
    is the end of what has been replayed, or the checkpoint at which the server was stopped. For
    data that has diverged, it is the fork.
    """
    wal, target = facts.primary.wal, facts.target
    if wal is None:
        return None
    if target.resumable is not None:
        return target.resumable.redo
    if isinstance(facts.running, RunningServer):
        return _end_of_running(facts.running, wal.history, wal.written)
    if target.control is None or (target.has_backup_label and target.backup_start is None):
        return None
    match relate(target.control, target.backup_start, target.history, wal):
        case Follows(base):
            if target.control.state == SHUT_DOWN and target.backup_start is None:
                return Point(base.redo.timeline, Lsn(target.control.checkpoint + CHECKPOINT_BYTES))
            return base.end if target.is_sound else base.redo
        case Diverged():
            return fork_of(target.control, target.history, wal.history)
        case Copied():
            return None


def _end_of_running(running: RunningServer, history: History, written: Lsn) -> Point | None:
    """Return where the WAL of a running server ends, or the primary's if that ends before it."""
    received = None if running.is_torn else running.received
    ends = [end for end in (received, running.replayed) if end is not None]
    if not ends or running.timeline not in history.timelines:
        return None
    left = history.end_of(running.timeline)
    return Point(running.timeline, min(max(ends), written if left is None else left))


def reject_unproven(situation: Situation) -> Iterator[Rejection]:
    """Report if it is not known whether the node's past is the primary's own.

    A timeline is known by its number and its start, and another server that was promoted at the
    same position may have one with the same two. The first timeline is safe: no promotion began it.
    """
    compared, point = situation.facts.compared, point_to_compare(situation.facts)
    if point is None or point.timeline == situation.wal.history.timelines[0]:
        return
    if compared is None or compared.is_same is None:
        yield Rejection(
            f"it cannot be proven that {situation.name} was on the primary's timeline "
            f"{point.timeline}",
            detail=f"The WAL before {point} is no longer on both of them, and another server that "
            "was promoted at the same position would have a timeline of that number, too.",
        )


def unkept(situation: Situation) -> tuple[str, ...]:
    """Return the node's WAL files, from its base on, that it must not keep.

    These are the files that the primary has with other contents, including the last one of a
    standby, because that is not full. Files of later timelines that the primary no longer has are
    among them too, because their origin cannot be determined. A standby with a replay delay keeps
    none that the primary has: it would wait at each commit in them before it streams.
    """
    compared, wal = situation.facts.compared, situation.wal
    own = situation.facts.target.own_wal
    if compared is None:
        return ()
    names = files_from(own, compared.upto, wal.history, wal.segment_bytes)
    kept = () if situation.is_delayed else compared.whole
    return tuple(
        name
        for name in names
        if name not in kept
        and (
            wal.has(segment_of_file(name, wal.segment_bytes))
            or timeline_of(name) != compared.upto.timeline
        )
    )


def first_unkept(situation: Situation) -> int | None:
    """Return the first segment that is not kept, from where the node's replay has got to on."""
    wal, own = situation.wal, situation.facts.target.own_wal
    size = wal.segment_bytes
    gone = {*unkept(situation), *strays(own, wal.history, size)}
    names = (name for name in own.of(wal.history.timelines) if name in gone)
    begin = last_segment(situation.follows.base.end, size)
    numbers = (segment_of_file(name, size) for name in names)
    return min((number for number in numbers if number >= begin), default=None)


def keep_to_past(
    situation: Situation,
    directory: str,
    redo: Point,
    *,
    keeps: bool = False,
    archive: FromArchive | None = None,
) -> list[KeepToPast]:
    """Return the step that leaves a directory only the primary's past; recovery begins at `redo`.

    `keeps`: its server is running, so nothing is moved away from under it. From `archive` it gets
    what the primary no longer has of the files that it must have. The list is empty if there is
    nothing to do.
    """
    wal, own = situation.wal, situation.facts.target.own_wal
    size, history = wal.segment_bytes, wal.history
    doubtful = () if keeps else unkept(situation)
    moved = () if keeps else (*strays(own, history, size), *doubtful)
    kept = set(own.files) - set(moved)
    wanted = {*_at_forks(history, redo, size), *_instead(doubtful, history, size)}
    names = {file_of_segment(timeline, number, size) for timeline, number in wanted}
    written = last_segment(Point(history.current, wal.written), size)
    fetched = tuple(
        sorted(n for n in names - kept if wal.has(s := segment_of_file(n, size)) and s <= written)
    )
    gone = (n for n in names - kept if not wal.has(segment_of_file(n, size)))
    archived = () if archive is None else tuple(sorted(gone))
    known = {one.current for one in own.histories if history_file(one.current) not in moved}
    lacking = [
        timeline
        for timeline in map(TimelineId, range(redo.timeline + 1, history.current + 1))
        if timeline not in known
    ]
    if not (moved or fetched or archived or lacking):
        return []
    return [
        KeepToPast(
            places=situation.places,
            directory=directory,
            moved=moved,
            fetched=fetched,
            histories=tuple(one for one in lacking if one in history.timelines),
            gaps=tuple(one for one in lacking if one not in history.timelines),
            conninfo=situation.conninfo,
            segment_bytes=size,
            sizes=_sizes(situation, fetched),
            archived=archived,
            archive=archive if archived else None,
        )
    ]


def _sizes(situation: Situation, fetched: Iterable[str]) -> tuple[int, ...]:
    """Return how many bytes of each file a node with a replay delay needs; () if all of them.

    It needs them up to where it was, and past the start of their timeline: it waits at no commit
    before that. At any later commit it would wait before it streams.
    """
    target, wal, relation = situation.facts.target, situation.wal, situation.relation
    if not (situation.is_delayed and isinstance(relation, Follows) and target.is_sound):
        return ()
    if target.control is None or target.has_backup_label or target.resumable is not None:
        return ()
    size, was_at = wal.segment_bytes, relation.base.end.lsn
    if target.control.state == SHUT_DOWN:
        was_at = Lsn(target.control.checkpoint + FIRST_RECORD_BYTES)

    def needed(name: str) -> int:
        begun = wal.history.begin_of(timeline_of(name)) + FIRST_RECORD_BYTES
        begins = segment_of_file(name, size) * size
        return min(max(was_at - begins, begun - begins, FIRST_RECORD_BYTES), size)

    return tuple(map(needed, fetched))


def after_changes(situation: Situation, begin: Point | None = None) -> list[KeepToPast]:
    """Return the step for a directory that was changed, so its recovery begins elsewhere now.

    It begins after everything that the primary has written, or at `begin` if that is given. In the
    latter case the method has left nothing of the old pg_wal.
    """
    wal = situation.wal
    redo = Point(wal.history.current, wal.written) if begin is None else begin
    steps = keep_to_past(situation, situation.places.data.new, redo)
    if begin is None:
        return [replace(step, fetched=()) for step in steps if step.moved]
    emptied = replace(situation.facts.target, own_wal=NO_WAL)
    facts = replace(situation.facts, target=emptied, compared=None)
    return keep_to_past(replace(situation, facts=facts), situation.places.data.new, begin)


def after_rewind(situation: Situation, fork: Point, archive: FromArchive) -> list[KeepToPast]:
    """Return the step for a rewound directory whose WAL from the fork on is in an archive.

    pg_rewind has left it what the primary has of pg_wal, with the history files. What the primary
    no longer has of the first file of each timeline comes from the archive.
    """
    emptied = replace(situation.facts.target, own_wal=NO_WAL)
    facts = replace(situation.facts, target=emptied, compared=None)
    directory = situation.places.data.new
    steps = keep_to_past(replace(situation, facts=facts), directory, fork, archive=archive)
    only = [step for step in steps if step.archived]
    return [replace(step, fetched=(), sizes=(), histories=(), gaps=()) for step in only]


def _at_forks(history: History, redo: Point, size: int) -> Iterator[tuple[TimelineId, int]]:
    """Yield the first segment of each timeline that recovery reaches."""
    for timeline in history.timelines[1:]:
        number = history.begin_of(timeline) // size
        is_read = number >= redo.lsn // size and covering(number, history, size) == timeline
        if is_read and timeline >= redo.timeline:
            yield timeline, number


def _instead(
    doubtful: Iterable[str], history: History, size: int
) -> Iterator[tuple[TimelineId, int]]:
    """Yield the primary's version of the first segment that is moved away.

    With it the server gets back to where it was even if the primary cannot be reached by then.
    """
    numbers = [segment_of_file(name, size) for name in doubtful]
    if numbers:
        yield covering(min(numbers), history, size), min(numbers)


def reject_past_of_running(situation: Situation, running: RunningServer) -> list[Rejection]:
    """Return what is in the pg_wal of a running server that a restart would replay wrongly.

    What it has received of the segment that contains the fork is known from the server's answer.
    """
    wal, own = situation.wal, situation.facts.target.own_wal
    size, history = wal.segment_bytes, wal.history
    found = [
        name
        for name in strays(own, history, size)
        if name in set(own.of(history.timelines))
        and segment_of_file(name, size) > (history.end_of(timeline_of(name)) or 0) // size
    ]
    found += [history_file(one.current) for one in own.histories if leads_astray(one, history)]
    if not found or running.is_torn:
        return []
    return [
        Rejection(
            f"{situation.name} has WAL that the primary does not have",
            detail=f"{found[0]} is in its pg_wal, and a restart would replay it.",
        )
    ]
