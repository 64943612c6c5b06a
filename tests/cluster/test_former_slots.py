"""The slots of a former primary are dropped, by a plain pcp_recovery_node as well."""

from collections.abc import Iterator

import pytest

from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import on_hosts, slot_of, streams, write_settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql

COMMON = {"hot_standby_feedback": "on"}
LOGICAL = COMMON | {"wal_level": "logical", "sync_replication_slots": "on"}
OWN = "SELECT slot_name FROM pg_replication_slots WHERE NOT {} ORDER BY 1"
READ = (
    "SELECT count(*) FROM pg_logical_slot_get_binary_changes("
    "'sub', null, null, 'proto_version', '1', 'publication_names', 'pub')"
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(15, id="15"),
        pytest.param(17, marks=in_whole_matrix(17), id="17"),
        pytest.param(18, marks=needs_postgresql(18), id="18"),
    ],
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    plan = ClusterPlan(
        postgresql_major=request.param,
        settings=LOGICAL if request.param >= 17 else COMMON,
    )
    with on_hosts(workspace, product, plan) as made:
        write_settings(made, "")
        yield made


def recover(cluster: Cluster, node_id: int) -> str:
    before = len(cluster.pgpool.log_text())
    cluster.recover(node_id)
    primary = cluster.primary
    until(lambda: streams(primary, node_id), within_s=10, what=f"node {node_id} to stream")
    comparison = cluster.contents_equal(primary.node_id, node_id)
    assert comparison, comparison.differences
    return cluster.pgpool.log_text()[before:]


def has_failover_slots(server: Server) -> bool:
    return server.installation.major >= 17


def test_former_primary_brings_no_slots_along(cluster: Cluster) -> None:
    old, new = cluster.node(0), cluster.node(1)
    new.stop()
    recover(cluster, 1)  # Node 0 then has a slot of ours, and node 1's conninfo has a database.
    old.execute("SELECT pg_create_physical_replication_slot('archiver', true)")
    if has_failover_slots(old):
        old.execute("CREATE PUBLICATION pub FOR ALL TABLES")
        for name in ("sub", "only_here"):
            old.execute(
                f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', failover => true)"
            )
        until(lambda: is_ready(old, new, "sub"), within_s=120, what="sub on node 1", every_s=1)
        until(lambda: is_ready(old, new, "only_here"), within_s=60, what="only_here on node 1")
    old.stop()
    until(lambda: not new.is_in_recovery, within_s=60, what="the failover")
    if has_failover_slots(old):
        new.execute("SELECT pg_drop_replication_slot('only_here')")
    log = recover(cluster, 0)
    assert methods(log) == ["catch-up"]
    dropped = "dropped replication slot {} of node 0, from its time as primary"
    stays = "replication slot {} of node 0 stays, because "
    assert dropped.format(slot_of(1)) in log
    assert stays.format("archiver") + "it may still be needed" in log
    assert "SELECT pg_drop_replication_slot('archiver')" in log
    if not has_failover_slots(old):
        assert old.sql(OWN.format("temporary")) == [("archiver",)]
        assert "dbname" not in old.sql("SHOW primary_conninfo")[0][0]
        return
    assert dropped.format("sub") in log
    assert stays.format("only_here") + "the primary has no failover slot of that name" in log
    assert old.sql(OWN.format("synced")) == [("archiver",), ("only_here",)]
    assert "dbname=postgres" in old.sql("SHOW primary_conninfo")[0][0]
    until(lambda: is_ready(new, old, "sub"), within_s=120, what="sub on node 0", every_s=1)
    old.drop_slot("only_here")


def is_ready(primary: Server, standby: Server, name: str) -> bool:
    """Return whether a standby has a failover slot that would survive its promotion.

    That takes until the primary's own slot has advanced.
    """
    primary.execute(
        "SELECT pg_logical_emit_message(true, 'x', 'y'), pg_log_standby_snapshot();"
        + READ.replace("'sub'", f"'{name}'")
    )
    query = "SELECT 1 FROM pg_replication_slots WHERE synced AND NOT temporary AND slot_name = '{}'"
    return bool(standby.sql(query.format(name)))


def test_database_that_rejects_the_login_is_reported(cluster: Cluster) -> None:
    """Slots are not synchronised if that login is rejected, even though replication works."""
    if not has_failover_slots(cluster.primary):
        pytest.skip("PostgreSQL 16 and earlier do not synchronise slots")
    primary = cluster.primary
    node = cluster.standby
    node.stop()
    hba = primary.sql("SHOW hba_file")[0][0]
    text = primary.machine.path(hba).read_text()
    primary.machine.write_file(hba, "host all repl all reject\n" + text)
    primary.reload()
    try:
        log = recover(cluster, node.node_id)
    finally:
        primary.machine.write_file(hba, text)
        primary.reload()
    assert f"failover slots will not be synchronised to node {node.node_id}: " in log, log
