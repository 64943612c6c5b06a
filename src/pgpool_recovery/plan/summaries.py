"""What the primary's WAL summaries allow: whether they cover a gap, and what not to keep."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, lsn_text, parse_lsn
from pgpool_recovery.facts.facts import RelationSegment
from pgpool_recovery.facts.rejection import Rejection

EVERY_NODE = "Set summarize_wal = on on every node, standbys too: each needs its own summaries."


@record
class Summary:
    """A WAL summary: what changed on a timeline between two positions."""

    timeline: TimelineId
    start: Lsn
    end: Lsn


@record
class Summaries:
    """All summaries of a server, and how far its summarizer is."""

    is_enabled: bool
    is_running: bool
    keep_time: str
    reached: Point
    available: tuple[Summary, ...]


def read_summaries(rows: Sequence[Mapping[str, Any]]) -> Summaries:
    """Return what the query `summary_coverage` found."""
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
    """Say why the primary cannot tell what has changed since `redo`, or None when it can.

    `redo` is a point of `history`. Every position from there to the summarizer's own must be in a
    summary, timeline by timeline. What the summarizer has not reached yet it will write: the server
    waits for it when a backup begins.
    """
    if not summaries.is_enabled:
        return Rejection("the primary does not summarize its WAL", hint=EVERY_NODE)
    if not summaries.is_running:
        return Rejection(
            "the WAL summarizer of the primary does not run",
            hint="Look for the WAL summarizer in the primary's log.",
        )
    gap = first_gap(summaries, redo, history)
    if gap is None:
        return None
    return Rejection(
        "the primary's WAL summaries do not go back far enough",
        detail=f"They are needed since {redo}; the first gap is at {gap}.",
        hint=f"{EVERY_NODE} They are kept for wal_summary_keep_time, {summaries.keep_time} here.",
    )


def first_gap(summaries: Summaries, redo: Point, history: History) -> Point | None:
    """Return the first point after `redo` that is in no summary and will be in none."""
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
    """Return up to where summaries of a timeline follow one another without a gap."""
    reached = begin
    for summary in sorted(summaries, key=lambda one: (one.start, one.end)):
        if summary.timeline == timeline and summary.start <= reached:
            reached = max(reached, summary.end)
    return reached


def _will_come(point: Point, reached: Point, history: History) -> bool:
    """Say whether the summarizer is not past a point yet."""
    timelines = history.timelines
    if reached.timeline not in timelines:  # It has not begun, or is on a timeline that was left.
        return False
    order = (timelines.index(reached.timeline), reached.lsn)
    return order <= (timelines.index(point.timeline), point.lsn)


def left_out(rows: Iterable[Mapping[str, Any]]) -> frozenset[RelationSegment]:
    """Return the segments of the query `limit_blocks`: of these no old block may be kept.

    A limit block says that a relation was cut to that length. The server merges the summaries of a
    gap in whatever order it finds them. A truncation that it reads after newer summaries takes out
    their changed blocks behind the limit, and it takes a file that grew again for one of which even
    the blocks that were cut off are still good. So what is behind the lowest limit cannot be
    trusted: its segment is not vouched for, and those above are always sent whole. A limit of 0
    means a new file, which is sent whole too.
    """
    return frozenset(RelationSegment(**row) for row in rows)


def newly_left_out(
    before: frozenset[RelationSegment], after: frozenset[RelationSegment]
) -> frozenset[RelationSegment]:
    """Return what was truncated between the two queries.

    `after` is asked when the backup has started, and only of summaries that begin before that.
    When anything is returned here, that backup must not be applied: begin another one with both.
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
