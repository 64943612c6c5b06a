"""Promise 13, with Pgpool-II: recoveries with hostile settings of all roles and databases.

What Pgpool-II itself calls, as its own role, is not examined here.
"""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts, write_settings
from tests.harness.workspace import Workspace
from tests.hostile import (
    PATHS,
    RUNNER,
    captured,
    make_roles,
    plant,
    set_against_us,
    set_path,
    spare,
)

MAINTENANCE = "postgres"
"""The database of the stage commands' login and of the record."""
OWN = f'[primary]\nuser = "{RUNNER}"\n[replication]\nrewind_user = "{RUNNER}"\n'


@pytest.fixture(scope="module", params=PATHS)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    plan = ClusterPlan(settings={"wal_log_hints": "on"})
    with on_hosts(workspace, product, plan) as made:
        write_settings(made, OWN)
        primary = made.node(0)
        make_roles(primary)
        plant(primary, MAINTENANCE)
        spare(primary, MAINTENANCE)
        set_against_us(primary, MAINTENANCE)
        set_path(primary, PATHS[request.param], MAINTENANCE)
        yield made


def assert_nothing_captured(cluster: Cluster) -> None:
    assert [captured(server, role=RUNNER) for server in cluster.servers] == [[], []]


def test_promise_13_standby(cluster: Cluster) -> None:
    cluster.node(1).stop()
    cluster.recover(1)
    assert_recovered(cluster, 1)
    assert_nothing_captured(cluster)
    states = "SELECT DISTINCT state FROM pgpool_recovery_history"
    assert cluster.node(0).sql(states) == [("recovered",)]


def test_promise_13_new_node(cluster: Cluster) -> None:
    cluster.node(1).lose()
    cluster.recover(1)
    assert_recovered(cluster, 1)
    assert_nothing_captured(cluster)


def test_promise_13_ex_primary(cluster: Cluster) -> None:
    """A former primary is recovered by pg_rewind, which logs in as the same role."""
    old = cluster.primary
    cluster.fail_over()
    old.start()
    old.execute("CREATE TABLE own_way AS SELECT generate_series(1, 1000)")
    old.stop()
    cluster.recover(old.node_id)
    assert_recovered(cluster, old.node_id)
    assert_nothing_captured(cluster)
    primary = cluster.primary
    methods = "SELECT method FROM pgpool_recovery_history ORDER BY id DESC LIMIT 1"
    assert primary.sql(methods) == [("rewind",)]
