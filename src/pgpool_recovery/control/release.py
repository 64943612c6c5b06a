"""Which release line a Pgpool-II is of, and what that line does; PCP does not tell the version."""

from collections.abc import Mapping, Sequence

from pgpool_recovery.pcp.client.node_info import NodeInfo

Line = tuple[int, int]

SINCE: tuple[tuple[str, Line], ...] = (
    ("recovery_database", (4, 7)),
    ("log_backend_messages", (4, 6)),
    ("log_pcp_processes", (4, 5)),
    ("process_management_mode", (4, 4)),
)
"""Parameters that pcp_pool_status has since a line, and that no minor release before it got:
notice_per_node_statement, of 4.5 as well, came into 4.1.22 to 4.4.9 later."""
FIRST_THAT_GOES_ON = "log_pcp_processes"


def release_line(parameters: Mapping[str, str], infos: Sequence[NodeInfo]) -> Line | None:
    """Return the line of the Pgpool-II that these came from; None before 4.3, or without one."""
    for name, line in SINCE:
        if name in parameters:
            return line
    # What a server says of itself stands in the answer about a node since 4.3.
    return (4, 3) if any(info.pg_status is not None for info in infos) else None


def holds_failovers_up(parameters: Mapping[str, str]) -> bool:
    """Say whether a recovery that this Pgpool-II runs keeps it from the next failover.

    Up to 4.4 the PCP process, which is started anew after each change of a node, waits for all
    that it serves, and the main process waits for it (pcp_exit_handler, pcp_child.c).

    >>> holds_failovers_up({"backend_clustering_mode": "1"}), holds_failovers_up({})
    (True, False)
    """
    return bool(parameters) and FIRST_THAT_GOES_ON not in parameters
