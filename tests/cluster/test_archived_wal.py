"""A standby whose WAL only an archive has comes back by WAL alone, with exactly the primary's data.

The archive is a directory that all nodes share. The table "dead" has rows that the primary
committed before it died and that its successor never had.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_one_host
from tests.harness.wal import remove_wal_for
from tests.harness.workspace import Workspace

ARCHIVE = PurePosixPath("/var/lib/postgresql/archive")
KEEPING = f"mkdir -p {ARCHIVE} && test ! -f {ARCHIVE}/%f && cp %p {ARCHIVE}/%f"
COPYING = f"cp {ARCHIVE}/%f %p"
SEGMENTS = 6


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    archiving = {"archive_mode": "on", "archive_command": KEEPING}
    made_of = ClusterPlan(
        postgresql_major=15, standbys=2, settings={"wal_log_hints": "on", **archiving}
    )
    with on_one_host(workspace, product, made_of) as made:
        made.primary.execute("CREATE TABLE ledger (told text); CREATE TABLE dead (told text)")
        yield made


def write(primary: Server, table: str = "ledger", segments: int = SEGMENTS) -> None:
    """Fill some WAL segments."""
    for number in range(segments):
        rows = f"SELECT 'row {number} ' || g FROM generate_series(1, 1000) g"
        primary.execute(f"INSERT INTO {table} {rows}")
        primary.execute("SELECT pg_switch_wal()")


def archive(cluster: Cluster) -> Path:
    return cluster.node(0).machine.path(ARCHIVE)


def fall_behind(cluster: Cluster, node: Server) -> None:
    """Stop a node, and have its WAL archived and removed from the primary."""
    node.stop()
    cluster.pgpool.wait_for_node(node.node_id, "down")
    lose(cluster, node)


def lose(cluster: Cluster, node: Server) -> None:
    primary = cluster.primary
    write(primary)
    for slot, is_active in primary.slots().items():
        if not is_active:
            primary.drop_slot(slot)
    remove_wal_for(primary, node)


def recover(cluster: Cluster, node: Server) -> str:
    before = len(cluster.pgpool.log_text())
    cluster.recover(node.node_id)
    cluster.primary.execute("INSERT INTO ledger VALUES ('at the end')")
    assert_recovered(cluster, node.node_id)
    return cluster.pgpool.log_text()[before:]


def test_wal_comes_from_the_archive(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.set(restore_command=COPYING)
    fall_behind(cluster, node)
    log = recover(cluster, node)
    assert methods(log) == ["catch-up"], log
