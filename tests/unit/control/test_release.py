"""The release line of a Pgpool-II, by what its answers contain."""

import pytest

from pgpool_recovery.control.release import holds_failovers_up, release_line
from tests.unit.cli.facts import info

EVERY_LINE = ("backend_clustering_mode", "notice_per_node_statement")


@pytest.mark.parametrize(
    ("names", "line", "holds_up"),
    [
        ((), (4, 3), True),
        (("process_management_mode",), (4, 4), True),
        (("process_management_mode", "log_pcp_processes"), (4, 5), False),
        (("log_pcp_processes", "log_backend_messages"), (4, 6), False),
        (("log_pcp_processes", "log_backend_messages", "recovery_database"), (4, 7), False),
    ],
)
def test_line(names: tuple[str, ...], line: tuple[int, int], *, holds_up: bool) -> None:
    """notice_per_node_statement proves nothing: minor releases got it, too."""
    parameters = dict.fromkeys((*EVERY_LINE, *names), "1")
    nodes = [info(0, "up", "primary")._replace(pg_status="up")]
    assert release_line(parameters, nodes) == line
    assert holds_failovers_up(parameters) is holds_up


def test_line_before_the_servers_own_status_is_not_known() -> None:
    parameters = dict.fromkeys(EVERY_LINE, "1")
    assert release_line(parameters, [info(0, "up", "primary")]) is None
    assert holds_failovers_up(parameters)


def test_without_pgpool() -> None:
    assert release_line({}, ()) is None
    assert not holds_failovers_up({})
