"""A full copy equals the primary, whatever happened while the node was away and meanwhile."""

from collections.abc import Iterator

import pytest

from tests.cluster.site import on_hosts
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.gap import EVERYTHING, Ground, happen, prepare, settings_for
from tests.harness.product import Product
from tests.harness.proof import assert_equal
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

KINDS = [
    pytest.param((major, layout), marks=needs_postgresql(major), id=f"{major}-{layout}")
    for major, layout in [(15, "plain"), (17, "debian"), (18, "plain")]
]


@pytest.fixture(scope="module", params=KINDS)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    major, layout = request.param
    plan = ClusterPlan(postgresql_major=major, layout=layout, settings=settings_for(EVERYTHING))
    with on_hosts(workspace, product, plan) as made:
        yield made


def test_everything_in_the_gap(cluster: Cluster) -> None:
    node = cluster.node(1)
    ground = Ground(cluster.primary, [node])
    with cluster.load(through_pgpool=False) as load:
        prepare(ground, EVERYTHING)
        node.stop()
        happen(ground, EVERYTHING)
        cluster.recover(1)
        load.wait_for_commits(50)
    assert load.stop().failures == ()
    assert_equal(cluster, 1)
    assert load.lost_numbers(node) == []
