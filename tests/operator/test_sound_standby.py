"""status, attach, check and a second remote start see that a server streams, but is not sound."""

from collections.abc import Iterator

import pytest

from tests.check.ask import Found, check
from tests.harness.cluster import ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(standbys=2)) as site:
        yield site


def errors(site: Site, node_id: int) -> list[Found]:
    found = check(site.cluster)
    return [one for one in found if one.node_id == node_id and one.severity == "error"]


def refused(site: Site, node_id: int) -> str:
    """Detach a node, assert that attaching it is refused, and return the reason."""
    if site.cluster.pgpool.node_info(node_id).is_attached:
        site.cluster.pgpool.detach_node(node_id)
    said = site.run("attach", node_id)
    assert said.returncode == 4, said.output
    return said.stderr


def test_paused(site: Site) -> None:
    node = site.cluster.node(1)
    node.execute("SELECT pg_wal_replay_pause()")
    site.cluster.node(0).execute("SELECT pg_logical_emit_message(true, 'a', 'b')")
    paused = "SELECT pg_get_wal_replay_pause_state()"
    until(lambda: node.sql(paused) == [("paused",)], within_s=20, what="the pause")
    status = site.node_status(1)
    assert (status["replication_state"], status["trouble"]) == ("streaming", "paused")
    assert status["problems"] == ["it does not replay: it is paused"]
    assert "paused!" in site.run("status").stdout
    assert "does not replay" in refused(site, 1)
    assert [one.fact for one in errors(site, 1) if "does not replay" in one.fact]
    node.execute("SELECT pg_wal_replay_resume()")
    assert site.run("attach", 1).returncode == 0
    assert site.node_status(1)["trouble"] is None
    assert not errors(site, 1)


def test_twin_that_uses_the_slot(site: Site) -> None:
    primary, node, twin = site.cluster.servers
    node.stop()
    lead(twin, node.slot)
    until(lambda: primary.slots()[node.slot], within_s=20, what="the twin to use the slot")
    node.start()
    status = site.node_status(1)
    assert status["trouble"] == "slot taken", status
    assert "another client uses its slot" in status["problems"][0]
    assert "another client uses its slot" in refused(site, 1)
    assert [one.fact for one in errors(site, 1) if "another client uses its slot" in one.fact]
    lead(twin, twin.slot)
    until(lambda: site.node_status(1)["trouble"] is None, within_s=20, what="the node to stream")
    assert site.run("attach", 1).returncode == 0


def lead(node: Server, slot: str) -> None:
    node.execute(f"ALTER SYSTEM SET primary_slot_name = '{slot}'")
    node.reload()


def test_promise_12_standby_that_is_ahead(site: Site) -> None:
    """The primary comes back in an earlier state; only the standbys have what it wrote since."""
    cluster = site.cluster
    primary, node = cluster.node(0), cluster.node(1)
    cluster.pgpool.stop()
    primary.stop()
    data = primary.data_directory
    primary.machine.run(["cp", "-a", data, f"{data}.before"])
    primary.start()
    primary.execute("CREATE TABLE lost AS SELECT generate_series(1, 60000) x")
    count = "SELECT count(*) FROM pg_class WHERE relname = 'lost'"
    until(lambda: node.sql(count) == [("1",)], within_s=30, what="the rows to arrive")
    primary.kill()
    primary.remove_data()
    primary.machine.run(["mv", f"{data}.before", data])
    primary.start()
    cluster.pgpool.start()
    status = site.node_status(1)
    assert status["trouble"] == "ahead", status
    assert "has replayed what node 0" in status["problems"][0]
    assert "has replayed what node 0" in refused(site, 1)
    assert [one.fact for one in errors(site, 1) if "has replayed what the primary" in one.fact]
    if status["replication_state"] == "streaming":
        assert status["lag_bytes"] < 0
    call = f"SELECT pgpool_remote_start('{node.machine.address}', '{node.data_directory}')"
    left = f"DO $$ BEGIN PERFORM {call.removeprefix('SELECT ')}; EXCEPTION WHEN OTHERS THEN "
    said = primary.execute(left + "RAISE NOTICE '%', SQLERRM; END $$").stderr
    assert "has replayed what the primary does not have" in said
    assert node.is_running, "it was already running, so it is not stopped by default"
    with settings(cluster, '[policy]\nstop_running = "standby"\n'):
        primary.execute(left + "RAISE NOTICE '%', SQLERRM; END $$")
    assert not node.is_running, "the policy allows that it is stopped"
