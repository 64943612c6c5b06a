"""Query the primary's WAL summaries since a position."""

from pgpool_recovery.domain.wal import History, Point
from pgpool_recovery.facts.facts import RelationSegment
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.summaries import (
    coverage_parameters,
    left_out,
    limit_parameters,
    read_summaries,
    reject_coverage,
)
from pgpool_recovery.postgres.connection import Connection


def summaries_since(connection: Connection, redo: Point, history: History) -> Rejection | None:
    """Return why the summaries do not cover all WAL since a position; None when they do."""
    rows = connection.rows("summary_coverage", **coverage_parameters(redo))
    return reject_coverage(read_summaries(rows), redo, history)


def truncated_since(
    connection: Connection, redo: Point, *, before: Point | None = None
) -> frozenset[RelationSegment]:
    """Return the segments of which no old block may be kept, due to truncations since a position.

    With `before`, only summaries that begin before that position are read. plan/summaries.py has
    the reason.
    """
    rows = connection.rows("limit_blocks", **limit_parameters(redo, before=before))
    return left_out(rows)


def changed_since(connection: Connection, redo: Point) -> int:
    """Return an estimate of the bytes that changed since a position, by the blocks in summaries."""
    row = connection.row("changed_blocks", **coverage_parameters(redo))
    return int(row["bytes"])
