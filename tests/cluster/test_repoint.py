"""A standby that runs is led to another primary by a reload: its clients go on reading."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster.site import assert_recovered, on_hosts, settings, slot_of
from tests.cluster.test_ladder import methods
from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan, RecoveryError
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

MAY_STOP = '[policy]\nstop_running = "standby"\n'
IMPATIENT = "[timeout]\nstreaming_s = 3\n"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((15, "plain"), id="15-plain"),
        pytest.param((17, "debian"), marks=needs_postgresql(17), id="17-debian"),
    ],
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    """Three nodes; node 0 is the primary."""
    major, layout = request.param
    plan = ClusterPlan(
        postgresql_major=major,
        layout=layout,
        standbys=2,
        authentication="scram-sha-256",
        settings={"wal_log_hints": "on"},
    )
    with on_hosts(workspace, product, plan) as made:
        yield made


@dataclass(frozen=True)
class Witness:
    """A server's life, and a session on it: equal to what they are later when nothing ended."""

    started: str
    session: tuple[str, ...]


def witness(node: Server) -> Witness:
    ((started,),) = node.sql("SELECT pg_postmaster_start_time()")
    query = "SELECT pid, backend_start FROM pg_stat_activity WHERE application_name = 'reader'"
    rows = until(lambda: node.sql(query), within_s=10, what="the session")
    return Witness(started, rows[0])


def open_session(node: Server) -> Witness:
    """Begin a session that does nothing until its client ends, after a long time."""
    argv = [node.installation.program("psql"), "-X", "-d", "postgres"]
    node.machine.spawn(
        [*argv, "-c", "SELECT 1", "-c", r"\! sleep 600"],
        log=node.machine.home / "session.out",
        env={"PGHOST": str(node.machine.socket_directory), "PGAPPNAME": "reader"},
    )
    return witness(node)


def recover(cluster: Cluster, node_id: int) -> str:
    """Recover a node that Pgpool-II has to be told to be down; return what pgpool.log says."""
    if cluster.pgpool.node_info(node_id).is_attached:
        cluster.pgpool.detach_node(node_id)
    before = len(cluster.pgpool.log_text())
    with cluster.load(name=f"load_{before}", through_pgpool=False) as load:
        cluster.recover(node_id)
        load.wait_for_commits(20)
    assert_recovered(cluster, node_id, load)
    return cluster.pgpool.log_text()[before:]


def make_follow(node: Server, upstream: Server) -> None:
    """Have a standby stream from another standby, as somebody may who spares the primary."""
    source = upstream.conninfo(REPLICATION_USER, application_name=node.name)
    node.execute(f"ALTER SYSTEM SET primary_conninfo = '{source}'")
    node.execute("ALTER SYSTEM RESET primary_slot_name")
    node.reload()
    query = f"SELECT 1 FROM pg_stat_replication WHERE application_name = '{node.name}'"
    until(lambda: upstream.sql(query), within_s=20, what=f"{node.name} to follow {upstream.name}")


def test_standby_of_a_primary_that_died_follows_the_new_one(cluster: Cluster) -> None:
    """Its server runs on, and so does a session on it; the dead primary is left as it is."""
    node = cluster.node(2)
    before = open_session(node)
    old = cluster.primary
    new = cluster.fail_over()
    assert new.node_id == 1
    log = recover(cluster, 2)
    assert methods(log) == ["repoint"], log
    assert "not attach: node 2 is not known to stream from this primary" in log
    assert witness(node) == before
    assert cluster.slots(1) == {slot_of(2): True}
    recover(cluster, old.node_id)


def test_standby_of_a_standby_on_the_same_timeline(cluster: Cluster) -> None:
    node, upstream = cluster.node(2), cluster.node(0)
    make_follow(node, upstream)
    before = witness(node)
    assert methods(recover(cluster, 2)) == ["repoint"]
    assert witness(node) == before


def test_what_it_has_received_the_new_primary_has_not(cluster: Cluster) -> None:
    """Node 0 is promoted, and has not what the other standby has."""
    old, node = cluster.primary, cluster.node(2)
    assert old.node_id == 1
    cluster.host(0).cut(cluster.host(1))
    old.execute("CREATE TABLE only_there AS SELECT generate_series(1, 1000)")
    until(lambda: node.sql("SELECT to_regclass('only_there')") != [("",)], within_s=20, what="it")
    new = cluster.fail_over()
    assert new.node_id == 0
    cluster.host(0).mend(cluster.host(1))
    before = witness(node)
    cluster.pgpool.detach_node(2)
    with pytest.raises(RecoveryError, match="server of node 2 is running"):
        cluster.recover(2)
    said = cluster.pgpool.log_text()
    assert "not repoint: node 2 has received WAL that the primary has not" in said
    assert witness(node) == before
    with settings(cluster, MAY_STOP):
        log = recover(cluster, 2)
    assert methods(log) == ["rewind"], log
    assert witness_is_gone(node, before)
    recover(cluster, old.node_id)


def witness_is_gone(node: Server, before: Witness) -> bool:
    return node.sql("SELECT pg_postmaster_start_time()") != [(before.started,)]


def test_standby_that_does_not_come_to_stream_is_led_back(cluster: Cluster) -> None:
    """Its startup process stands still, so that nobody starts another WAL receiver."""
    primary, node, upstream = cluster.primary, cluster.node(2), cluster.node(1)
    make_follow(node, upstream)
    before = node.sql("SELECT name, setting FROM pg_settings WHERE name LIKE 'primary%'")
    primary.drop_slot(slot_of(2))
    slots = primary.slots()
    cluster.pgpool.detach_node(2)
    signal_startup(node, "STOP")
    with settings(cluster, IMPATIENT):
        call = Call(primary, node, "led_back")
        said = call.ends(60)
    assert "undo what was done" in said
    assert "does not stream from the primary" in said
    assert "server of node 2 is running" in said
    after = "SELECT name, setting FROM pg_settings WHERE name LIKE 'primary%'"
    until(lambda: node.sql(after) == before, within_s=10, what="the settings of before")
    assert primary.slots() == slots
    signal_startup(node, "CONT")
    primary.execute("CREATE TABLE arrives AS SELECT 1")
    until(lambda: node.sql("SELECT to_regclass('arrives')") != [("",)], within_s=20, what="it")
    assert methods(recover(cluster, 2)) == ["repoint"]


def signal_startup(node: Server, name: str) -> None:
    ((pid,),) = node.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'")
    node.machine.run(["kill", f"-{name}", pid], user="root")
