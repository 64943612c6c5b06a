"""A node keeps its identity: the name by which commits wait for it, and its own settings."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts, settings, slot_of
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until
from tests.harness.workspace import Workspace

pytestmark = pytest.mark.in_order

NAME = "standby_b"
GONE = "192.0.2.9"
OF_THE_SAMPLES = f"scp -q -o BatchMode=yes -i ~/.ssh/id_ed25519 {GONE}:/archivedir/%f %p"


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(layout="debian")) as made:
        yield made


def sync_states(primary: Server) -> list[tuple[str, ...]]:
    return primary.sql("SELECT application_name, sync_state FROM pg_stat_replication")


def assert_counts_as(primary: Server, sync_state: str) -> None:
    """Assert that only the node streams, in which sync_state; "potential" until its first reply."""
    until(
        lambda: sync_states(primary) == [(NAME, sync_state)],
        within_s=20,
        what=f"{NAME} alone to be {sync_state}, beside {sync_states(primary)}",
    )


def commit(primary: Server) -> None:
    """Commit what a synchronous standby has to confirm; without one it would wait forever."""
    primary.execute("SET statement_timeout = '20s'; SELECT txid_current()")


def recover(cluster: Cluster) -> str:
    before = len(cluster.pgpool.log_text())
    cluster.recover(1)
    assert_recovered(cluster, 1)
    return cluster.pgpool.log_text()[before:]


def test_standby_without_a_slot_and_an_application_name_is_attached(cluster: Cluster) -> None:
    """Its primary_conninfo is in a file that another one includes; cluster_name is its name."""
    primary, node = cluster.node(0), cluster.node(1)
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    where = f"host={primary.machine.address} port={primary.port} user={REPLICATION_USER}"
    configuration = node.layout.configuration_directory
    node.machine.write_file(configuration / "deep.conf", f"primary_conninfo = '{where}'\n")
    own = f"include '../deep.conf'\ncluster_name = '{NAME}'\n"
    node.machine.write_file(configuration / "conf.d" / "60-own.conf", own)
    auto = node.data_directory / "postgresql.auto.conf"
    node.machine.run(["sed", "-i", "/^primary_/d", str(auto)])
    node.start()
    primary.drop_slot(node.slot)
    until(lambda: sync_states(primary) == [(NAME, "async")], within_s=60, what="it to stream")
    before = len(cluster.pgpool.log_text())
    cluster.recover(1)
    assert methods(cluster.pgpool.log_text()[before:]) == ["attach"]


def test_standby_is_synchronous_by_its_cluster_name_as_before(cluster: Cluster) -> None:
    primary, node = cluster.node(0), cluster.node(1)
    node.stop()
    primary.set(synchronous_standby_names=f'ANY 1 ("{NAME}")')
    recover(cluster)
    assert_counts_as(primary, "quorum")
    commit(primary)


def test_restore_command_of_the_samples_from_a_host_that_is_gone(cluster: Cluster) -> None:
    """Each call fails with status 255, at which the server would end (RestoreArchivedFile)."""
    primary, node = cluster.node(0), cluster.node(1)
    auto = node.data_directory / "postgresql.auto.conf"
    node.execute(f"ALTER SYSTEM SET restore_command = '{OF_THE_SAMPLES}'")
    node.stop()
    log = recover(cluster)
    assert f"restore_command of node 1, which copies from {GONE}, fails" in log
    assert node.sql("SHOW restore_command") == [("",)]
    lines = node.machine.path(auto).read_text().split("\n")
    assert [line for line in lines if line.startswith("restore_command")] == [
        f"restore_command = '{OF_THE_SAMPLES}'",
        "restore_command = ''",
    ]
    commit(primary)


def test_empty_node_of_a_debian_cluster_without_socket_directory(cluster: Cluster) -> None:
    """pg_lsclusters fails completely there, because it checks who owns each data directory."""
    primary, node = cluster.node(0), cluster.node(1)
    for file in ("postgresql.conf", "conf.d/50-harness.conf"):
        path = node.layout.configuration_directory / file
        node.machine.run(["sed", "-i", "/unix_socket_directories/d", str(path)])
    node.lose()
    listed = node.machine.run(["pg_lsclusters"], check=False)
    assert listed.returncode != 0
    primary.set(synchronous_standby_names="*")
    of_copy = f"application_name = '{slot_of(1)}' AND state = 'streaming'"
    seen = f"SELECT sync_state FROM pg_stat_replication WHERE {of_copy}"
    with settings(cluster, '[policy]\nmax_rate = "4M"\n'), ThreadPoolExecutor() as pool:
        recovery = pool.submit(recover, cluster)
        while_copying = until(lambda: primary.sql(seen), within_s=60, what="the copy to stream")
        recovery.result()
    assert while_copying == [("async",)], "commits wait for the copy"
    assert_counts_as(primary, "sync")
    commit(primary)
