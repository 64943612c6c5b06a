"""The ground of these tests: the stock cluster works before ours comes."""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster
from tests.harness.workspace import Workspace
from tests.majors import PGPOOL_RELEASES, needs_postgresql

from .plan import StockPlan
from .stock import stock_cluster
from .trace import differences, trace_of

pytestmark = pytest.mark.whole_matrix  # The story in test_story.py begins with the same.


@pytest.fixture(
    params=[
        pytest.param(major, marks=needs_postgresql(major), id=release)
        for major, release in PGPOOL_RELEASES.items()
    ]
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, namespaces: None
) -> Iterator[Cluster]:
    # The other systems have no sudo.
    with stock_cluster(workspace, StockPlan(request.param, login="root")) as cluster:
        yield cluster


def test_stock_recovery_and_failover(cluster: Cluster) -> None:
    before = trace_of(cluster)
    assert differences(before, trace_of(cluster)) == []
    cluster.node(1).lose()
    cluster.recover(1)
    assert cluster.contents_equal(0, 1)
    assert differences(before, trace_of(cluster)) == []
    primary = cluster.fail_over()
    assert primary is cluster.node(1)
    cluster.pgpool.wait_for_node(2, "up")
    cluster.recover(0)
    assert list(primary.slots().values()) == [True, True]
    assert cluster.contents_equal(1, 0)
    assert cluster.contents_equal(1, 2)


def test_node_with_its_own_port_and_directory(workspace: Workspace, namespaces: None) -> None:
    with stock_cluster(workspace, StockPlan(moved=2)) as cluster:
        cluster.node(2).lose()
        cluster.recover(2)
        assert cluster.contents_equal(0, 2)
