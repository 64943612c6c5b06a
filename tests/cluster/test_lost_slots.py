"""A slot may keep little WAL, or is invalidated during a recovery: no data is removed in vain."""

import re
from collections.abc import Iterator

import pytest

from tests.cluster.test_ladder import lose_wal, methods
from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import (
    FULL_COPY,
    assert_recovered,
    on_hosts,
    settings,
    slot_of,
    write_settings,
)
from tests.harness.until import until
from tests.harness.wal import end_of, remove_wal, summarize
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

LIMIT = {"max_slot_wal_keep_size": "64MB", "wal_keep_size": "0", "checkpoint_timeout": "1h"}
OLD_GOES = FULL_COPY + 'keep_old = "never"\n'
SLOW = '[policy]\nmax_rate = "2M"\n'
STATE = "SELECT wal_status, restart_lsn IS NULL FROM pg_replication_slots WHERE slot_name = '{}'"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(15, id="15"),
        pytest.param(18, marks=needs_postgresql(18), id="18"),
    ],
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    newer = {"summarize_wal": "on"} if request.param >= 17 else {}
    plan = ClusterPlan(
        postgresql_major=request.param,
        settings=LIMIT | newer,
        initdb_options=("--data-checksums",),
    )
    with on_hosts(workspace, product, plan) as made:
        write_settings(made, "")
        made.primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 60000) g"
        )
        yield made


def recover(cluster: Cluster, node_id: int) -> str:
    before = len(cluster.pgpool.log_text())
    cluster.recover(node_id)
    assert_recovered(cluster, node_id)
    return cluster.pgpool.log_text()[before:]


def write(primary: Server, segments: int) -> None:
    for _ in range(segments):
        primary.execute("SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()")


def stopped(cluster: Cluster) -> tuple[Server, Server]:
    primary = cluster.primary
    node = cluster.standby
    node.stop()
    cluster.pgpool.wait_for_node(node.node_id, "down")
    return primary, node


def test_full_copy_outlives_its_own_checkpoint(cluster: Cluster) -> None:
    """The old data is removed first, so the copy must not fail if its checkpoint ends the slot."""
    primary, node = stopped(cluster)
    primary.execute("CHECKPOINT")
    write(primary, 8)
    with settings(cluster, OLD_GOES):
        assert methods(recover(cluster, node.node_id)) == ["basebackup"]


def test_rewind_that_would_lose_its_wal_is_not_begun(cluster: Cluster) -> None:
    old = cluster.primary
    other = cluster.node(1 - old.node_id)
    cluster.host(other.node_id).cut(cluster.host(old.node_id))
    old.execute("CREATE TABLE lost AS SELECT generate_series(1, 99) g")
    new = cluster.fail_over()
    cluster.host(other.node_id).mend(cluster.host(old.node_id))
    write(new, 8)
    log = recover(cluster, old.node_id)
    if new.installation.major >= 17:
        assert methods(log) == ["rewind"]
        assert "because the WAL since the fork is more than a slot may keep" in log, log
    else:
        assert methods(log) == ["delta"]
        assert re.search(r"more than a slot may keep \(node \d needs \d{3} MB of WAL", log), log


def test_idle_slot_ends_between_the_stages_and_during_a_method(cluster: Cluster) -> None:
    if cluster.primary.installation.major < 18:
        pytest.skip("PostgreSQL 17 and earlier do not invalidate idle slots")
    summarize(cluster.primary, cluster.standby)
    primary, node = stopped(cluster)
    primary.execute("UPDATE filler SET t = repeat(md5(random()::text), 16) WHERE g % 3 = 0")
    lose_wal(primary, node)
    slot = slot_of(node.node_id)
    primary.execute("ALTER SYSTEM SET idle_replication_slot_timeout = '1s'")
    primary.reload()
    with settings(cluster, SLOW):
        call = Call(primary, node, "idle")
        call.says("write the changed blocks")
        end(primary, slot)
        said = call.ends(120)
    assert (
        f"replication slot {slot} was created again: it was no longer usable (lost, idle_timeout)"
        in said
    )
    primary.execute("ALTER SYSTEM SET wal_keep_size = '1GB'")
    primary.reload()
    end(primary, slot)
    started = f"SELECT pgpool_remote_start('{node.machine.address}', '{node.data_directory}')"
    primary.execute(started)
    node.stop()
    primary.execute("ALTER SYSTEM RESET wal_keep_size")
    primary.reload()
    end(primary, slot)
    remove_wal(primary, end_of(node))
    primary.execute(f"SELECT pg_create_physical_replication_slot('{slot}', true)")
    end(primary, slot)
    with pytest.raises(CommandError, match="was lost with its replication slot"):
        primary.execute(started)
    primary.execute("ALTER SYSTEM RESET idle_replication_slot_timeout")
    primary.reload()
    recover(cluster, node.node_id)


def end(primary: Server, slot: str) -> None:
    """Wait until an unused slot is invalidated by idle_replication_slot_timeout."""

    def has_ended() -> bool:
        primary.execute("CHECKPOINT")
        return primary.sql(STATE.format(slot)) == [("lost", "f")]

    until(has_ended, within_s=30, what=f"{slot} to end", every_s=0.5)
