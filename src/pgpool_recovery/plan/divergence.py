"""How the past of a data directory relates to the past of the primary."""

from pgpool_recovery.domain.control_data import (
    IN_ARCHIVE_RECOVERY,
    SHUT_DOWN,
    SHUT_DOWN_IN_RECOVERY,
    ControlData,
)
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Point, TimelineId, lsn_text
from pgpool_recovery.facts.facts import Base, Facts, Wal

FIRST_TIMELINE = TimelineId(1)


@record
class Follows:
    """Everything in it is in the primary's past; it lacks what was written since `base`."""

    base: Base


@record
class Diverged:
    """It has, or may have, something that the primary does not; `why` says what is known."""

    why: str


@record
class Copied:
    """It diverged on the timeline that the primary writes: a copy of the primary, or its rival.

    pg_rewind compares only the numbers of the timelines, and concludes that there is nothing to do.
    """

    why: str


Relation = Follows | Diverged | Copied


def relate(
    control: ControlData, backup_start: Point | None, own: History | None, primary: Wal
) -> Relation:
    """Return how the data directory of a stopped server relates to the primary.

    `backup_start` is the start of the base backup that backup_label names. `own` is the history
    file that the directory has for its own timeline, None if it has none.
    """
    base, history = base_of(control, backup_start), primary.history
    stranger = _stranger(control, backup_start, own, history)
    if stranger is not None:
        is_same = control.newest_timeline == history.current
        return Copied(stranger) if is_same else Diverged(stranger)
    if _has_unknown_end(control, backup_start):
        return _unended(control, base, primary)
    if backup_start is not None:
        return _follows_or_not(base, primary)
    if control.state in (SHUT_DOWN_IN_RECOVERY, IN_ARCHIVE_RECOVERY):
        return _follows_or_not(base, primary)
    end = history.end_of(control.timeline)
    if end is None:
        return Copied(f"It was a primary on timeline {control.timeline}, as the primary is now.")
    if control.state != SHUT_DOWN:
        return Diverged(
            f'Its server was not shut down cleanly ("{control.state}"), so it is not known where '
            "its WAL ends."
        )
    if control.checkpoint < end:
        return Follows(base)
    return Diverged(
        f"It wrote up to {lsn_text(control.checkpoint)} on timeline {control.timeline}, which the "
        f"primary left at {lsn_text(end)}."
    )


def may_need_rewind(facts: Facts) -> bool:
    """Return whether the target's data has something that the primary does not have."""
    control, wal = facts.target.control, facts.primary.wal
    if control is None or wal is None:
        return False
    relation = relate(control, facts.target.backup_start, facts.target.history, wal)
    return isinstance(relation, Diverged)


def fork_of(control: ControlData, own: History | None, primary: History) -> Point | None:
    """Return where a directory and the primary diverged; None if that cannot be determined.

    A rewound directory needs WAL from there on. The WAL before it, back to the last checkpoint
    before the fork, is in the directory itself; otherwise pg_rewind would not work either. Timeline
    1 has no history file; pg_rewind, too, needs that of any other timeline.
    """
    if own is None and control.newest_timeline == FIRST_TIMELINE:
        own = History(FIRST_TIMELINE)
    return None if own is None else own.fork(primary)


def base_of(control: ControlData, backup_start: Point | None) -> Base:
    """Return the base from which on the directory lacks what the primary has written."""
    redo = backup_start or Point(control.timeline, control.redo)
    end = control.minimum_end
    return Base(redo, end if end is not None and end.lsn > redo.lsn else redo)


def _follows_or_not(base: Base, primary: Wal) -> Relation:
    """Return Follows if both ends of what the directory holds are in the primary's past."""
    for point in (base.redo, base.end):
        left = primary.history.end_of(point.timeline)
        if left is not None and point.lsn > left:
            return Diverged(
                f"It replayed up to {point}, which the primary left at {lsn_text(left)}."
            )
        if point.lsn > primary.written:
            return Copied(
                f"It replayed up to {point}, but the primary has written only up to "
                f"{lsn_text(primary.written)}."
            )
    return Follows(base)


def _has_unknown_end(control: ControlData, backup_start: Point | None) -> bool:
    """Return whether this is a base backup and it is not known when its last page was read.

    A backup of a standby has that position as its minimum recovery end, and so has a directory that
    pg_rewind has left. For a backup of a primary, the position is only in the WAL until a server
    has replayed that.
    """
    if backup_start is None:
        return not control.is_consistent
    return control.state != IN_ARCHIVE_RECOVERY or control.minimum_end is None


def _unended(control: ControlData, base: Base, primary: Wal) -> Relation:
    """Return the relation of a base backup with an unknown end.

    It cannot have anything that the primary lacks while the primary is still on its timeline.
    """
    left = primary.history.end_of(control.newest_timeline)
    if left is None:
        return _follows_or_not(base, primary)
    return Diverged(
        f"It is a base backup that no server has recovered to its end, on timeline "
        f"{control.newest_timeline}, which the primary left at {lsn_text(left)}."
    )


def _stranger(
    control: ControlData, backup_start: Point | None, own: History | None, primary: History
) -> str | None:
    """Return which of its timelines the primary was never on; None if it was on all of them."""
    points = [point for point in (backup_start, control.minimum_end) if point is not None]
    for timeline in sorted({control.timeline, *(point.timeline for point in points)}):
        if timeline not in primary.timelines:
            return f"It was on timeline {timeline}, which the primary was never on."
        if own is not None and not _begins_alike(timeline, own, primary):
            return (
                f"Its timeline {timeline} began at {lsn_text(own.begin_of(timeline))}, but the "
                f"primary's timeline {timeline} began at {lsn_text(primary.begin_of(timeline))}."
            )
    return None


def _begins_alike(timeline: TimelineId, own: History, primary: History) -> bool:
    return timeline not in own.timelines or own.begin_of(timeline) == primary.begin_of(timeline)
