"""Users' own stage scripts in bash keep working with our extension, in both modes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import Product, install_extension, install_stock
from tests.harness.until import until
from tests.harness.workspace import Workspace

SCRIPTS = Path(__file__).with_name("foreign_scripts")
ARCHIVE = "/var/lib/postgresql/archive"
REPLICATION = PgpoolSettings(
    clustering_mode="native_replication",
    recovery_1st_stage_command="replication_1st_stage",
    recovery_2nd_stage_command="replication_2nd_stage",
)
ARCHIVING = {
    "archive_mode": "on",
    "archive_command": f"mkdir -p {ARCHIVE} && cp %p {ARCHIVE}/%f",
}


def install_ours(cluster: Cluster, product: Product) -> None:
    """Install the extension's files on each host, and nothing else of ours."""
    for server in cluster.servers:
        install_extension(server.machine, server.installation, product)


def test_streaming_mode(workspace: Workspace, product: Product, namespaces: None) -> None:
    with cluster_on_hosts(workspace, ClusterPlan()) as cluster:
        install_ours(cluster, product)
        install_stock(cluster.primary, over_ssh=True)  # Only the scripts; the extension is ours.
        with cluster.load(through_pgpool=False) as load:
            cluster.node(1).lose()
            cluster.recover(1)
            load.wait_for_commits(20)
        assert load.stop().failures == ()
        assert cluster.contents_equal(0, 1)
        assert cluster.slots(0) == {"node_1": True}


@pytest.fixture
def replicated(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    plan = ClusterPlan(pgpool=REPLICATION, settings=ARCHIVING)
    with cluster_on_hosts(workspace, plan) as cluster:
        install_ours(cluster, product)
        main = cluster.node(0)
        for database in ("template1", "postgres"):
            main.execute("CREATE EXTENSION pgpool_recovery", database=database)
        for script in SCRIPTS.iterdir():
            name = script.name if script.name.startswith("replication") else "pgpool_remote_start"
            text = script.read_text().replace("BINDIR", str(main.installation.bindir))
            main.machine.write_file(main.data_directory / name, text, mode=0o700)
        yield cluster


def test_native_replication_with_two_stages(replicated: Cluster) -> None:
    cluster = replicated
    cluster.pgpool.sql("CREATE TABLE before AS SELECT generate_series(1, 1000) AS a")
    cluster.node(1).lose()
    # The node is down before Pgpool-II ends the processes (and sessions) that take it for up.
    until(
        lambda: "failover done. shutdown host" in cluster.pgpool.log_text(),
        within_s=30,
        what="Pgpool-II to have new processes",
    )
    cluster.pgpool.sql("CREATE TABLE meanwhile AS SELECT generate_series(1, 1000) AS a")
    cluster.recover(1, timeout_s=180)
    node = cluster.node(1)
    until(lambda: not node.is_in_recovery, within_s=10, what="node 1 to be a server of its own")
    cluster.pgpool.sql("INSERT INTO meanwhile VALUES (1001)")
    comparison = cluster.contents_equal(0, 1)
    assert comparison, comparison.differences
