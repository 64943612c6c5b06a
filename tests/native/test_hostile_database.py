"""Promise 13: the second stage logs in as a superuser to a database with a hostile owner."""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import Product
from tests.harness.site import on_hosts, write_settings
from tests.harness.workspace import Workspace
from tests.hostile import (
    DATABASE,
    PATHS,
    captured,
    make_database,
    make_roles,
    set_against_us,
    set_path,
    spare,
)

MODE = "native_replication"


@pytest.fixture(scope="module", params=PATHS)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    pgpool = PgpoolSettings(clustering_mode=MODE, recovery_2nd_stage_command="recovery_2nd_stage")
    with on_hosts(workspace, product, ClusterPlan(pgpool=pgpool)) as made:
        write_settings(made, f'[pgpool]\nbackend_clustering_mode = "{MODE}"\n')
        main = made.node(0)
        make_roles(main)
        make_database(main)
        set_against_us(main)
        set_path(main, PATHS[request.param])
        yield made


def test_promise_13_second_stage(cluster: Cluster) -> None:
    cluster.node(1).lose()
    cluster.recover(1)
    assert [captured(server) for server in cluster.servers] == [[], []]
    assert not cluster.node(1).is_in_recovery
    for server in cluster.servers:
        spare(server)
    query = "SELECT last_value FROM counted"
    assert [server.sql(query, database=DATABASE) for server in cluster.servers] == [[("5",)]] * 2
    assert cluster.contents_equal(0, 1)
