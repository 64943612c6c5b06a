"""Determine the release line of a Pgpool-II, since PCP does not report the version."""

from collections.abc import Mapping, Sequence

from pgpool_recovery.pcp.client.node_info import NodeInfo

Line = tuple[int, int]

SINCE: tuple[tuple[str, Line], ...] = (
    ("recovery_database", (4, 7)),
    ("log_backend_messages", (4, 6)),
    ("log_pcp_processes", (4, 5)),
    ("process_management_mode", (4, 4)),
)
"""Parameters that pcp_pool_status has shown since a release line, and that were not added to minor
releases of earlier lines. (notice_per_node_statement, also new in 4.5, came to 4.1.22 to 4.4.9.)"""
FIRST_THAT_GOES_ON = "log_pcp_processes"


def release_line(parameters: Mapping[str, str], infos: Sequence[NodeInfo]) -> Line | None:
    """Return the release line that these come from; None before 4.3, or without Pgpool-II."""
    for name, line in SINCE:
        if name in parameters:
            return line
    # Since 4.3 the answer about a node includes what its server reports about itself.
    return (4, 3) if any(info.pg_status is not None for info in infos) else None


def holds_failovers_up(parameters: Mapping[str, str]) -> bool:
    """Return whether a recovery that this Pgpool-II runs keeps it from the next failover.

    Up to 4.4 the PCP process is restarted after each change of a node. It first waits for all
    requests that it serves, and the main process waits for it (pcp_exit_handler, pcp_child.c).

    >>> holds_failovers_up({"backend_clustering_mode": "1"}), holds_failovers_up({})
    (True, False)
    """
    return bool(parameters) and FIRST_THAT_GOES_ON not in parameters
