"""Parse the health check statistics of a node, and the number of nodes."""

from typing import NamedTuple, Optional

from .field import filled, integer_of, real_of
from .pcp_error import malformed
from .reply import Reply


class HealthCheckStats(NamedTuple):
    """The health checks of a node since Pgpool-II was started.

    Durations are in milliseconds. Times are texts in the server's time zone, such as
    ``2026-11-24 08:00:00``; None means never.
    """

    node_id: int
    hostname: str
    port: int
    status: str
    role: str
    last_status_change: Optional[str]
    total_count: int
    success_count: int
    fail_count: int
    skip_count: int
    retry_count: int
    average_retry_count: Optional[float]
    max_retry_count: int
    max_duration_ms: int
    min_duration_ms: int
    average_duration_ms: Optional[float]
    last_health_check: Optional[str]
    last_successful_health_check: Optional[str]
    last_skip_health_check: Optional[str]
    last_failed_health_check: Optional[str]


HEALTH_CHECK_FIELDS = 20


def health_check_stats_of(reply: Reply) -> HealthCheckStats:
    """Return the statistics in an answer. Fields after those of 4.2 are new, and are ignored."""
    [row] = reply.rows
    if len(row) < HEALTH_CHECK_FIELDS:
        raise malformed(
            "The health check statistics have %d fields instead of %d."
            % (len(row), HEALTH_CHECK_FIELDS)
        )
    return HealthCheckStats(
        node_id=integer_of(row[0], "node_id"),
        hostname=row[1],
        port=integer_of(row[2], "port"),
        status=row[3],
        role=row[4],
        last_status_change=filled(row[5]),
        total_count=integer_of(row[6], "total_count"),
        success_count=integer_of(row[7], "success_count"),
        fail_count=integer_of(row[8], "fail_count"),
        skip_count=integer_of(row[9], "skip_count"),
        retry_count=integer_of(row[10], "retry_count"),
        average_retry_count=real_of(row[11]),
        max_retry_count=integer_of(row[12], "max_retry_count"),
        max_duration_ms=integer_of(row[13], "max_health_check_duration"),
        min_duration_ms=integer_of(row[14], "min_health_check_duration"),
        average_duration_ms=real_of(row[15]),
        last_health_check=filled(row[16]),
        last_successful_health_check=filled(row[17]),
        last_skip_health_check=filled(row[18]),
        last_failed_health_check=filled(row[19]),
    )


def node_count_of(reply: Reply) -> int:
    """Return the number of nodes in an answer."""
    [row] = reply.rows
    if not row:
        raise malformed("The number of nodes is missing.")
    return integer_of(row[0], "node count")
