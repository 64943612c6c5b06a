"""On a filesystem that clones files at no cost, a clone is changed and the old data stays."""

import re
from collections.abc import Iterator

import pytest

from tests.cluster.test_ladder import lose_wal, methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.contents import wait_for_replay
from tests.harness.product import Product
from tests.harness.site import assert_recovered, left_over, on_hosts
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql


@pytest.fixture(scope="module", params=[pytest.param(17, marks=needs_postgresql(17))])
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    """Yield a cluster whose data directories and tablespaces are on filesystems that clone."""
    plan = ClusterPlan(
        postgresql_major=request.param,
        settings={"wal_log_hints": "on", "summarize_wal": "on"},
    )
    with on_hosts(workspace, product, plan) as made:
        made.pgpool.stop()
        for node in reversed(made.servers):
            move_to_cloning_filesystem(made, node.node_id)
        made.pgpool.start()
        space = made.node(0).data_directory.parent / "ts"
        made.node(0).create_tablespace("ts", space, also_on=[made.node(1)])
        made.node(0).execute(
            "CREATE TABLE filler TABLESPACE ts AS"
            " SELECT g, repeat('x', 500) t FROM generate_series(1, 20000) g"
        )
        wait_for_replay(made.node(1), made.node(0).wal_position())
        yield made


def move_to_cloning_filesystem(cluster: Cluster, node_id: int) -> None:
    node, host = cluster.node(node_id), cluster.host(node_id)
    node.stop()
    parent = node.data_directory.parent
    saved = node.machine.home / "saved"
    host.run(["mv", str(parent), str(saved)])
    host.cloning_filesystem(parent, 800)
    host.run(["sh", "-c", f"cp -a {saved}/. {parent}/"])
    host.run(["rm", "-rf", str(saved)])
    node.start()


def recover(cluster: Cluster, node_id: int) -> str:
    before = len(cluster.pgpool.log_text())
    cluster.recover(node_id)
    assert_recovered(cluster, node_id)
    return cluster.pgpool.log_text()[before:]


def test_incremental(cluster: Cluster) -> None:
    node, primary = cluster.node(1), cluster.node(0)
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    primary.execute("UPDATE filler SET t = 'changed' WHERE g % 50 = 0")
    lose_wal(primary, node)
    log = recover(cluster, 1)
    assert methods(log) == ["incremental"], log
    assert "clone the data directory; the old one stays unchanged" in log
    assert "the new server runs, so the old data was removed" in log
    assert re.search("cannot be undone", log) is None


def test_rewind(cluster: Cluster) -> None:
    """The crash recovery of the clone creates a tablespace next to the old data."""
    old = cluster.primary
    other = cluster.node(1 - old.node_id)
    old.create_tablespace("new", old.data_directory.parent / "new", also_on=[other])
    old.execute("CREATE TABLE in_both TABLESPACE new AS SELECT generate_series(1, 1000)")
    wait_for_replay(other, old.wal_position())
    cluster.host(other.node_id).cut(cluster.host(old.node_id))
    old.execute("CREATE TABLE only_here TABLESPACE ts AS SELECT generate_series(1, 1000)")
    new = cluster.fail_over()
    cluster.host(other.node_id).mend(cluster.host(old.node_id))
    new.execute("CREATE TABLE after_it TABLESPACE ts AS SELECT generate_series(1, 1000)")
    log = recover(cluster, old.node_id)
    assert methods(log) == ["rewind"], log
    assert "clone the data directory" in log
    assert left_over(old) == []
    counted = "SELECT (SELECT count(*) FROM in_both) + (SELECT count(*) FROM after_it)"
    wait_for_replay(old, new.wal_position())
    assert old.sql(counted) == [("2000",)]
