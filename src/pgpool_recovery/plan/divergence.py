"""How the past of a data directory and the past of the primary relate (facts/methods.md, 1)."""

from dataclasses import dataclass

from pgpool_recovery.domain.control_data import (
    IN_ARCHIVE_RECOVERY,
    SHUT_DOWN,
    SHUT_DOWN_IN_RECOVERY,
    ControlData,
)
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, lsn_text
from pgpool_recovery.plan.facts import Base, Facts


@dataclass(frozen=True)
class Follows:
    """All that it holds is in the primary's past: it lacks what was written since `base`."""

    base: Base


@dataclass(frozen=True)
class Diverged:
    """It holds something that the primary has not, or may do so: `why` says what is known."""

    why: str


@dataclass(frozen=True)
class Copied:
    """It wrote on the timeline that the primary writes: a copy of the primary, or its rival.

    pg_rewind takes it for a node that needs nothing.
    """

    why: str


Relation = Follows | Diverged | Copied


def relate(
    control: ControlData, backup_start: Point | None, own: History | None, primary: History
) -> Relation:
    """Say how a stopped server's data directory relates to the primary.

    `backup_start` is the start of the base backup that backup_label names; `own` the history that
    the directory has of its own timeline, when it has one.
    """
    base = base_of(control, backup_start)
    stranger = _stranger(control, own, primary)
    if stranger is not None:
        return Diverged(stranger)
    if backup_start is not None:
        if control.minimum_end is None and backup_start.timeline != primary.current:
            return Diverged(
                f"It is a base backup of timeline {backup_start.timeline} that was never started: "
                "nobody knows whether it holds what was written after the primary had left that."
            )
        return _follows_or_not(base, primary)
    if control.state in (SHUT_DOWN_IN_RECOVERY, IN_ARCHIVE_RECOVERY):
        return _follows_or_not(base, primary)
    end = primary.end_of(control.timeline)
    if end is None:
        return Copied(f"It was a primary on timeline {control.timeline}, as the primary is now.")
    if control.state != SHUT_DOWN:
        return Diverged(
            f'Its server was not stopped in an orderly way ("{control.state}"), so that nobody '
            "knows where its WAL ends."
        )
    if control.checkpoint < end:
        return Follows(base)
    return Diverged(
        f"It wrote up to {lsn_text(control.checkpoint)} on timeline {control.timeline}, which the "
        f"primary left at {lsn_text(end)}."
    )


def may_need_rewind(facts: Facts) -> bool:
    """Say whether the target's data has something that the primary has not."""
    control, wal = facts.target.control, facts.primary.wal
    if control is None or wal is None:
        return False
    relation = relate(control, facts.target.backup_start, facts.target.history, wal.history)
    return isinstance(relation, Diverged)


def base_of(control: ControlData, backup_start: Point | None) -> Base:
    """Return from where on the directory lacks what the primary has written."""
    redo = backup_start or Point(control.timeline, control.redo)
    end = control.minimum_end
    return Base(redo, end if end is not None and end.lsn > redo.lsn else redo)


def _follows_or_not(base: Base, primary: History) -> Relation:
    for point in (base.redo, base.end):
        if not primary.has(point):
            left = primary.end_of(point.timeline)
            return Diverged(
                f"It replayed up to {point}, which the primary left at "
                f"{lsn_text(Lsn(0) if left is None else left)}."
            )
    return Follows(base)


def _stranger(control: ControlData, own: History | None, primary: History) -> str | None:
    """Say which of its timelines the primary never was on."""
    timelines = {control.timeline}
    if control.minimum_end is not None:
        timelines.add(control.minimum_end.timeline)
    for timeline in sorted(timelines):
        if timeline not in primary.timelines:
            return f"It was on timeline {timeline}, on which the primary never was."
        if own is not None and not _begins_alike(timeline, own, primary):
            return (
                f"Its timeline {timeline} began at {lsn_text(own.begin_of(timeline))}, the "
                f"primary's of that number at {lsn_text(primary.begin_of(timeline))}."
            )
    return None


def _begins_alike(timeline: TimelineId, own: History, primary: History) -> bool:
    return timeline not in own.timelines or own.begin_of(timeline) == primary.begin_of(timeline)
