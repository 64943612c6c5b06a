"""A copy that is read from a standby instead of from the primary."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.proof import assert_equal
from tests.harness.site import FULL_COPY, assert_recovered, on_hosts, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace

SLOW = 'max_rate = "3M"\ncompress = "none"\n'
"""A copy that lasts for ten seconds."""


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    """Yield three standbys; commits wait for the last one."""
    with on_hosts(workspace, product, ClusterPlan(standbys=3)) as made:
        name = made.node(3).name
        made.node(0).execute(f"ALTER SYSTEM SET synchronous_standby_names = '\"{name}\"'")
        made.node(0).reload()
        yield made


@contextmanager
def reading_from(cluster: Cluster, source: str, more: str = "") -> Iterator[None]:
    """Use a source; the standbys have slots of other names, so the settings say who is where."""
    nodes = "".join(
        f'[node.{server.node_id}]\nhost = "{server.machine.address}"\n'
        f'data_directory = "{server.data_directory}"\n'
        for server in cluster.servers
    )
    with settings(cluster, f"{FULL_COPY}source = {source}\n{more}{nodes}"):
        yield


def lose(cluster: Cluster, node_id: int) -> Server:
    node = cluster.node(node_id)
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
