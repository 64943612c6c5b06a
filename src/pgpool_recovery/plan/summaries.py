"""Whether the primary's WAL summaries cover a gap, and which blocks must not be kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, lsn_text, parse_lsn
from pgpool_recovery.facts.facts import RelationSegment
from pgpool_recovery.facts.rejection import Rejection

EVERY_NODE = (
    "Set summarize_wal = on on every node, including standbys: each needs its own summaries."
)


@record
class Summary:
    """A WAL summary: what changed on a timeline between two positions."""

    timeline: TimelineId
    start: Lsn
    end: Lsn


@record
class Summaries:
    """All summaries of a server, and how far its summarizer has got."""

    is_enabled: bool
    is_running: bool
    keep_time: str
    reached: Point
    available: tuple[Summary, ...]


def read_summaries(rows: Sequence[Mapping[str, Any]]) -> Summaries:
    """Return what the rows of the query `summary_coverage` say."""
    state = rows[0]
    return Summaries(
        is_enabled=state["is_enabled"],
        is_running=state["is_running"],
        keep_time=state["keep_time"],
        reached=Point(
            TimelineId(state["summarized_tli"]), parse_lsn(state["summarized_lsn"] or "0/0")
        ),
        available=tuple(
            Summary(TimelineId(row["tli"]), parse_lsn(row["start_lsn"]), parse_lsn(row["end_lsn"]))
            for row in rows
            if row["tli"] is not None
        ),
    )


def reject_coverage(summaries: Summaries, redo: Point, history: History) -> Rejection | None:
    """Return why the summaries do not show what has changed since `redo`; None if they do.

    `redo` is a point of `history`. Every position from there to the summarizer's own must be in a
    summary, timeline by timeline. The summarizer will still write what it has not reached yet: the
    server waits for it when a backup begins.
    """
    if not summaries.is_enabled:
        return Rejection("the primary does not summarize its WAL", hint=EVERY_NODE)
    if not summaries.is_running:
        return Rejection(
            "the WAL summarizer of the primary is not running",
            hint="Check the primary's log for messages of the WAL summarizer.",
        )
    gap = first_gap(summaries, redo, history)
    if gap is None:
        return None
    return Rejection(
        "the primary's WAL summaries do not go back far enough",
        detail=f"They are needed from {redo} on; the first gap is at {gap}.",
        hint=f"{EVERY_NODE} They are kept for wal_summary_keep_time, which is "
        f"{summaries.keep_time} here.",
    )


def first_gap(summaries: Summaries, redo: Point, history: History) -> Point | None:
    """Return the first point from `redo` on that is not in a summary and never will be."""
    timelines = history.timelines
    for timeline in timelines[timelines.index(redo.timeline) :]:
        begin = redo.lsn if timeline == redo.timeline else history.begin_of(timeline)
        end = history.end_of(timeline)
        covered = _covered_from(begin, timeline, summaries.available)
        if end is not None and covered >= end:
            continue
        point = Point(timeline, covered)
        return None if _will_come(point, summaries.reached, history) else point
    return None


def _covered_from(begin: Lsn, timeline: TimelineId, summaries: Iterable[Summary]) -> Lsn:
    """Return the position up to which the summaries of a timeline have no gap."""
    reached = begin
    for summary in sorted(summaries, key=lambda one: (one.start, one.end)):
        if summary.timeline == timeline and summary.start <= reached:
            reached = max(reached, summary.end)
    return reached


def _will_come(point: Point, reached: Point, history: History) -> bool:
    """Return whether the summarizer has not passed a point yet."""
    timelines = history.timelines
    if reached.timeline not in timelines:  # It has not begun, or is on a timeline that was left.
        return False
    order = (timelines.index(reached.timeline), reached.lsn)
    return order <= (timelines.index(point.timeline), point.lsn)


def left_out(rows: Iterable[Mapping[str, Any]]) -> frozenset[RelationSegment]:
    """Return the segments that the query `limit_blocks` found: no old block of these may be kept.

    A limit block says that a relation was truncated to that length. The server merges the summaries
    of a gap in the order in which it finds them. If it reads a truncation after newer summaries, it
    drops their changed blocks beyond the limit. If the file has grown again, the server then treats
    even the blocks that had been cut off as unchanged. So nothing beyond the lowest limit can be
    trusted: its segment is returned here, and the segments above it are always sent whole. A limit
    of 0 means a new file, which is sent whole as well.
    """
    return frozenset(RelationSegment(**row) for row in rows)


def newly_left_out(
    before: frozenset[RelationSegment], after: frozenset[RelationSegment]
) -> frozenset[RelationSegment]:
    """Return what was truncated between the two queries.

    `after` is queried once the backup has started, and only for summaries that begin before its
    start. If anything is returned here, that backup must not be applied: begin another one, with
    both sets left out.
    """
    return after - before


def coverage_parameters(redo: Point) -> dict[str, str]:
    """Return the parameters of the query `summary_coverage`."""
    return {"redo": lsn_text(redo.lsn)}


def limit_parameters(redo: Point, *, before: Point | None = None) -> dict[str, str | None]:
    """Return the parameters of the query `limit_blocks`."""
    return {
        "redo": lsn_text(redo.lsn),
        "before": None if before is None else lsn_text(before.lsn),
    }
