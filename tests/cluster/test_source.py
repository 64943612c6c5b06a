"""A copy that is read from a standby instead of from the primary."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import Completed
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.proof import assert_equal
from tests.harness.site import FULL_COPY, assert_recovered, on_hosts, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace

SLOW = 'max_rate = "6M"\ncompress = "none"\n'
"""A copy that lasts for five seconds."""
DELTA = '[policy]\nmethods = ["delta"]\n'


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    """Yield three standbys; commits wait for the last one."""
    with on_hosts(workspace, product, ClusterPlan(standbys=3)) as made:
        name = made.node(3).name
        made.node(0).execute(f"ALTER SYSTEM SET synchronous_standby_names = '\"{name}\"'")
        made.node(0).reload()
        yield made


@contextmanager
def reading_from(
    cluster: Cluster, source: str, more: str = "", *, policy: str = FULL_COPY
) -> Iterator[None]:
    """Use a source; the standbys have slots of other names, so the settings say who is where."""
    nodes = "".join(
        f'[node.{server.node_id}]\nhost = "{server.machine.address}"\n'
        f'data_directory = "{server.data_directory}"\n'
        for server in cluster.servers
    )
    with settings(cluster, f"{policy}source = {source}\n{more}{nodes}"):
        yield


def lose(cluster: Cluster, node_id: int) -> Server:
    """Lose a node while the others stream; after a proof, all have just been started again."""
    node, count = cluster.node(node_id), len(cluster.servers) - 2
    others = f"""
        SELECT count(*) = {count} FROM pg_stat_replication
         WHERE state = 'streaming' AND client_addr <> '{node.machine.address}'"""
    until(lambda: cluster.primary.sql(others) == [("t",)], within_s=30, what="the others to stream")
    node.lose()
    cluster.primary.drop_slot(node.slot)
    cluster.pgpool.wait_for_node(node_id, "down")
    return node


def said_since(cluster: Cluster, begin: int) -> str:
    said = cluster.pgpool.log_text()[begin:]
    return "\n".join(re.findall(r"NOTICE:  (node \d: .*)", said))


def is_copying_from(server: Server) -> bool:
    return bool(server.sql("SELECT 1 FROM pg_stat_progress_basebackup"))


def test_full_copy_from_a_standby_while_a_client_writes(cluster: Cluster) -> None:
    node = lose(cluster, 1)
    began = len(cluster.pgpool.log_text())
    with reading_from(cluster, '"auto"'), cluster.load(through_pgpool=False) as load:
        cluster.recover(1)
        load.wait_for_commits(50)
    assert load.stop().failures == ()
    said = said_since(cluster, began)
    assert "plan: basebackup: a full copy, read from node 2" in said
    assert "not read from node 3: it is synchronous" in said
    label = node.machine.path(node.data_directory / "backup_label.old").read_text()
    assert "BACKUP FROM: standby" in label
    assert_recovered(cluster, 1)
    assert_equal(cluster, 1)
    assert load.lost_numbers(node) == []


def test_delta_from_a_standby_while_a_client_writes(cluster: Cluster) -> None:
    """Agents on the standby's host compare its files with the node's, which is stale."""
    node = cluster.node(1)
    with cluster.load(name="load_delta", through_pgpool=False) as load:
        load.wait_for_commits(20)
        node.kill()
        cluster.pgpool.wait_for_node(1, "down")
        load.wait_for_commits(50)
        began = len(cluster.pgpool.log_text())
        with reading_from(cluster, '"auto"', policy=DELTA):
            cluster.recover(1)
        load.wait_for_commits(20)
    assert load.stop().failures == ()
    said = said_since(cluster, began)
    assert "plan: delta: the blocks that differ, read from node 2, and WAL" in said
    assert "compare it with node 2's files" in said
    label = node.machine.path(node.data_directory / "backup_label.old").read_text()
    assert "BACKUP FROM: standby" in label
    assert_recovered(cluster, 1)
    assert_equal(cluster, 1)
    assert load.lost_numbers(node) == []


def test_standby_that_is_promoted_during_the_copy(cluster: Cluster) -> None:
    """The same run goes on with the primary, since the other standby is synchronous."""
    lose(cluster, 1)
    began = len(cluster.pgpool.log_text())
    source = cluster.node(2)
    with reading_from(cluster, '"auto"', SLOW), recovering(cluster, 1) as recovery:
        until(lambda: is_copying_from(source), within_s=60, what="a copy from node 2")
        source.execute("SELECT pg_promote(false)")
        assert "Command Successful" in recovery.result(timeout=120).output
    said = said_since(cluster, began)
    assert "the copy from node 2 failed; looking for another source" in said
    assert "node 2: the standby was promoted during online backup" in said
    assert "plan: basebackup: a full copy, about" in said
    source.stop()  # Two primaries; Pgpool-II knows nothing about that.
    until(lambda: cluster.pgpool.primary_id() == 0, within_s=30, what="node 0 to be the primary")
    assert_recovered(cluster, 1)


@pytest.mark.whole_matrix
def test_source_that_dies_during_the_copy(cluster: Cluster) -> None:
    """The run goes on with another standby, and never had the primary read anything."""
    lose(cluster, 2)
    with reading_from(cluster, '"auto"'):
        cluster.recover(2)
    cluster.primary.execute("ALTER SYSTEM RESET synchronous_standby_names")
    cluster.primary.reload()
    node = lose(cluster, 1)
    began = len(cluster.pgpool.log_text())
    with reading_from(cluster, '"auto"', SLOW), recovering(cluster, 1) as recovery:
        until(lambda: sources(cluster), within_s=60, what="a copy from a standby")
        [source] = sources(cluster)
        source.kill()
        assert "Command Successful" in recovery.result(timeout=120).output
    said = said_since(cluster, began)
    other = 5 - source.node_id
    assert f"the copy from node {source.node_id} failed" in said
    assert f"plan: basebackup: a full copy, read from node {other}" in said
    label = node.machine.path(node.data_directory / "backup_label.old").read_text()
    assert "BACKUP FROM: standby" in label
    assert_recovered(cluster, 1)
    cluster.recover(source.node_id)


def sources(cluster: Cluster) -> list[Server]:
    others = [cluster.node(2), cluster.node(3)]
    return [server for server in others if server.is_running and is_copying_from(server)]


@contextmanager
def recovering(cluster: Cluster, node_id: int) -> Iterator[Future[Completed]]:
    """Have Pgpool-II recover a node meanwhile."""
    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(cluster.pgpool.recovery_node, node_id, timeout_s=120)
