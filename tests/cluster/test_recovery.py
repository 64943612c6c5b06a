"""The main job: pcp_recovery_node brings a node back while clients keep writing."""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import Product
from tests.harness.site import (
    assert_recovered,
    on_hosts,
    on_one_host,
    on_this_machine,
    slot_of,
    streams,
)
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql

KINDS = [
    pytest.param((major, layout), marks=needs_postgresql(major), id=f"{major}-{layout}")
    for major, layout in [
        (15, "plain"),
        (15, "debian"),
        (16, "debian"),
        (17, "debian"),
        (18, "plain"),
    ]
] + [pytest.param((19, "plain"), marks=in_whole_matrix(19), id="19-plain")]


@pytest.fixture(scope="module", params=KINDS)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    major, layout = request.param
    plan = ClusterPlan(
        postgresql_major=major, layout=layout, standbys=2, authentication="scram-sha-256"
    )
    with on_hosts(workspace, product, plan) as made:
        yield made


def test_standby_that_was_stopped(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.set(work_mem="7MB")
    with cluster.load(name="stopped", through_pgpool=False) as load:
        node.stop()
        cluster.recover(1)
        load.wait_for_commits(50)
    assert_recovered(cluster, 1, load)
    assert node.sql("show work_mem") == [("7MB",)], "its own configuration was lost"
    assert "node_1" not in cluster.slots(0), "the slot it used before still keeps WAL"


def test_promise_13_slot_of_another_client_stays(cluster: Cluster) -> None:
    """The node's configuration names it, as that of a clone of another server would."""
    node, primary = cluster.node(1), cluster.node(0)
    primary.execute("SELECT pg_create_physical_replication_slot('barman', true)")
    try:
        node.execute("ALTER SYSTEM SET primary_slot_name = 'barman'")
        node.stop()
        primary.drop_slot(node.slot)
        cluster.recover(1)
        assert cluster.slots(0)["barman"] is False
        told = "replication slot barman stays, because its name does not show that it was made for"
        assert told in primary.log_text()
    finally:
        primary.drop_slot("barman")
    assert_recovered(cluster, 1)


def test_new_empty_node(cluster: Cluster) -> None:
    with cluster.load(name="emptied", through_pgpool=False) as load:
        cluster.node(1).lose()
        if cluster.plan.layout == "plain":
            assert not cluster.node(1).machine.path(cluster.node(1).data_directory).exists()
        cluster.recover(1)
        load.wait_for_commits(50)
    assert_recovered(cluster, 1, load)


def test_recovery_of_a_running_node_is_refused_by_pgpool(cluster: Cluster) -> None:
    said = cluster.pgpool.recovery_node(1).output
    assert "is alive" in said


def test_ex_primary_after_a_failover(cluster: Cluster) -> None:
    """This is the last test on this cluster, since node 0 is a standby afterwards."""
    old = cluster.primary
    new = cluster.fail_over()
    assert new.node_id != old.node_id
    with cluster.load(name="failed_over", through_pgpool=False) as load:
        cluster.recover(old.node_id)
        load.wait_for_commits(50)
    assert_recovered(cluster, old.node_id, load)


@pytest.fixture(scope="module")
def single(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    plan = ClusterPlan(ssh=False, pgpool=PgpoolSettings(hostname_style="name"))
    with on_one_host(workspace, product, plan) as made:
        yield made


def test_target_on_the_same_host_needs_no_ssh(single: Cluster) -> None:
    with single.load(name="single", through_pgpool=False) as load:
        single.node(1).lose()
        # It cannot be known which slot a node without data used.
        single.primary.drop_slot(single.node(1).slot)
        single.recover(1)
        load.wait_for_commits(50)
    assert_recovered(single, 1, load)


def test_pgpool_over_unix_sockets_on_a_machine_without_namespaces(
    workspace: Workspace, product: Product
) -> None:
    plan = ClusterPlan(pgpool=PgpoolSettings(hostname_style="socket"))
    with on_this_machine(workspace, product, plan) as cluster:
        with cluster.load(name="sockets", through_pgpool=False) as load:
            cluster.node(1).stop()
            cluster.recover(1)
            load.wait_for_commits(50)
        assert_recovered(cluster, 1, load)
        assert streams(cluster.primary, 1)
        assert cluster.slots(0)[slot_of(1)]
