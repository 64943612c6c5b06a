"""A real cluster behind a real Pgpool-II is recovered and failed over, with the stock parts."""

import pytest

from tests.harness.cluster import Cluster, ClusterPlan, RecoveryError
from tests.harness.cluster_site import (
    cluster_on_hosts,
    cluster_on_one_host,
    cluster_on_this_machine,
)
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import install_stock
from tests.harness.until import until
from tests.harness.workspace import Workspace


def lose_and_recover_the_standby_under_load(cluster: Cluster) -> None:
    """The clients of the primary notice nothing, and in the end the standby has the same data."""
    with cluster.load(through_pgpool=False) as load:
        load.wait_for_commits(50)
        cluster.node(1).lose()
        cluster.recover(1)
        load.wait_for_commits(50)
    summary = load.stop()
    assert summary.failures == ()
    assert summary.longest_pause_s < 5
    assert cluster.contents_equal(0, 1)
    assert load.lost_numbers(cluster.node(1)) == []
    assert cluster.slots(0) == {"node_1": True}
    assert cluster.pgpool.node_info(1).role == "standby"


def fail_over_and_recover_the_old_primary(cluster: Cluster) -> None:
    """Clients of Pgpool-II fail for a moment, and in the end both nodes have the same data."""
    with cluster.load(name="later") as load:
        load.wait_for_commits(20)
        new = cluster.fail_over()
        load.wait_for_commits(20)
    assert new is cluster.node(1)
    assert load.stop().failures
    cluster.recover(0)
    assert cluster.contents_equal(1, 0)
    assert cluster.node(0).is_in_recovery
    assert cluster.slots(1) == {"node_0": True}


def test_on_two_hosts(workspace: Workspace, namespaces: None) -> None:
    with cluster_on_hosts(workspace, ClusterPlan()) as cluster:
        install_stock(cluster.primary, over_ssh=True)
        lose_and_recover_the_standby_under_load(cluster)
        fail_over_and_recover_the_old_primary(cluster)


def test_on_this_machine_without_namespaces_over_unix_sockets(workspace: Workspace) -> None:
    plan = ClusterPlan(pgpool=PgpoolSettings(hostname_style="socket"))
    with cluster_on_this_machine(workspace, plan) as cluster:
        install_stock(cluster.primary, over_ssh=False)
        assert cluster.pgpool.node_info(0).hostname.startswith("/")
        lose_and_recover_the_standby_under_load(cluster)
        fail_over_and_recover_the_old_primary(cluster)


def test_on_one_host_with_passwords(workspace: Workspace, namespaces: None) -> None:
    plan = ClusterPlan(authentication="scram-sha-256", standbys=2)
    with cluster_on_one_host(workspace, plan) as cluster:
        install_stock(cluster.primary, over_ssh=False)
        cluster.node(1).lose()
        cluster.recover(1)
        assert cluster.contents_equal(0, 1)
        assert cluster.contents_equal(0, 2)


def test_on_hosts_in_the_debian_layout_on_disk(workspace: Workspace, namespaces: None) -> None:
    plan = ClusterPlan(layout="debian", pgpool=PgpoolSettings(hostname_style="name"))
    with cluster_on_hosts(workspace, plan, on_disk=True) as cluster:
        install_stock(cluster.primary, over_ssh=True)
        cluster.node(1).stop()
        cluster.recover(1)
        assert cluster.contents_equal(0, 1)


def test_stock_scripts_that_wait_for_a_spread_checkpoint(
    workspace: Workspace, namespaces: None
) -> None:
    with cluster_on_hosts(workspace, ClusterPlan()) as cluster:
        install_stock(cluster.primary, over_ssh=True, spread_checkpoint=True)
        cluster.primary.execute("CHECKPOINT")  # A spread checkpoint takes 0.1 s per buffer.
        cluster.node(1).lose()
        cluster.recover(1)
        assert "checkpoint starting: force wait" in cluster.primary.log_text()
        assert cluster.contents_equal(0, 1)
        assert cluster.slots(0) == {"node_1": True}


def test_in_native_replication_each_node_gets_what_is_written(
    workspace: Workspace, namespaces: None
) -> None:
    plan = ClusterPlan(pgpool=PgpoolSettings(clustering_mode="native_replication"))
    with cluster_on_hosts(workspace, plan) as cluster:
        cluster.pgpool.sql("CREATE TABLE t AS SELECT generate_series(1, 9) AS a")
        assert cluster.contents_equal(0, 1)
        assert [cluster.pgpool.node_info(n).role for n in (0, 1)] == ["main", "replica"]


def test_pgpool_as_an_operator_sees_it(workspace: Workspace, namespaces: None) -> None:
    with cluster_on_hosts(workspace, ClusterPlan(ssh=False)) as cluster:
        pgpool = cluster.pgpool
        pgpool.detach_node(1)
        assert pgpool.node_info(1).pg_status == "up"
        with pytest.raises(RecoveryError, match='execution of command failed at "1st stage"'):
            cluster.recover(1)
        pgpool.attach_node(1)
        until(
            lambda: pgpool.node_info(1).replication_state == "streaming",
            within_s=10,
            what="Pgpool-II to see node 1 stream",
        )
        assert len(pgpool.sql("SHOW pool_nodes")) == 2
        cluster.host(1).cut()
        pgpool.wait_for_node(1, "down")
        cluster.host(1).mend()
        pgpool.stop()
        assert not pgpool.is_running
        pgpool.start(keep_status=True)
        assert pgpool.node_info(1).status == "down"
