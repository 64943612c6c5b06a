"""What the primary's WAL summaries say of a gap."""

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
    """Say why the summaries do not lead from a position to now; nothing when they do."""
    rows = connection.rows("summary_coverage", **coverage_parameters(redo))
    return reject_coverage(read_summaries(rows), redo, history)


def truncated_since(
    connection: Connection, redo: Point, *, before: Point | None = None
) -> frozenset[RelationSegment]:
    """Return the segments behind which relations were truncated since a position."""
    rows = connection.rows("limit_blocks", **limit_parameters(redo, before=before))
    return left_out(rows)


def changed_since(connection: Connection, redo: Point) -> int:
    """Return the bytes of the blocks that the summaries name since a position; an estimate."""
    row = connection.row("changed_blocks", **coverage_parameters(redo))
    return int(row["bytes"])
