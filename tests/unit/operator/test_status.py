"""What `status` says of a second primary."""

import pytest

from pgpool_recovery.operator.status import node_status
from tests.unit.cli.facts import NODES, answer, cluster, info


@pytest.mark.parametrize(
    ("number", "primary", "wins"), [(2, 0, True), (0, 2, False)], ids=["higher", "lower"]
)
def test_detached_second_primary(number: int, primary: int, *, wins: bool) -> None:
    """Attached, the one with the higher id would get all writes."""
    seen = answer(number, is_in_recovery=False)
    known = cluster(info(number, "down", "standby"))
    problems = node_status(seen, known, NODES[primary], [], [], []).problems
    assert problems[0] == f"it accepts writes, but node {primary} is the primary"
    assert any("by its higher id" in one for one in problems) is wins
