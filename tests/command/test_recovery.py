"""The real pcp_recovery_node brings a node back with a command of the user's."""

from collections.abc import Iterator

import pytest

from tests.cluster.test_ladder import lose_wal, methods
from tests.command.recipe import install_program, program_of, settings_of
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, left_over, on_hosts, settings
from tests.harness.workspace import Workspace

ONLY = '[policy]\nmethods = ["attach", "command", "basebackup"]\n'


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan()) as made:
        primary = made.primary
        space = primary.data_directory.parent / "ts"
        primary.create_tablespace("ts", space, also_on=[made.node(1)])
        primary.execute(
            "CREATE TABLE filler TABLESPACE ts AS"
            " SELECT g, repeat('x', 500) t FROM generate_series(1, 20000) g"
        )
        yield made


def recover(cluster: Cluster, text: str) -> str:
    """Recover node 1 under load with these settings, and return what was logged."""
    node, primary = cluster.node(1), cluster.primary
    node.set(work_mem="7MB")
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    primary.execute("UPDATE filler SET t = 'changed' WHERE g % 100 = 0")
    lose_wal(primary, node)
    before = len(cluster.pgpool.log_text())
    with (
        settings(cluster, ONLY + text),
        cluster.load(name=f"load_{before}", through_pgpool=False) as load,
    ):
        cluster.recover(1)
        load.wait_for_commits(20)
    assert_recovered(cluster, 1, load)
    assert node.sql("SHOW work_mem") == [("7MB",)]
    assert left_over(node) == []
    return cluster.pgpool.log_text()[before:]


def test_rsync_onto_the_old_data(cluster: Cluster) -> None:
    install_program(cluster, "node-by-rsync", program_of("rsync"))
    log = recover(cluster, settings_of("rsync"))
    assert methods(log) == ["command"], log
    assert "the data directory is modified in place" in log
