"""A running standby is pointed at another primary by a reload, while its clients keep reading.

The tests build on each other: each one leaves its cluster to the next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from tests.check.ask import plan
from tests.cluster.test_ladder import methods
from tests.faults.call import Call
from tests.faults.test_in_place import kill_agent
from tests.harness.cluster import Cluster, ClusterPlan, RecoveryError
from tests.harness.pgpool import PcpError
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts, settings, slot_of
from tests.harness.template import REPLICATION_USER
from tests.harness.until import DeadlineError, until
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

pytestmark = pytest.mark.in_order
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
    """Yield a cluster of three nodes; node 0 is the primary."""
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
    """The start time of a server and a session on it; both stay equal unless one of them ends."""

    started: str
    session: tuple[str, ...]


def witness(node: Server) -> Witness:
    ((started,),) = node.sql("SELECT pg_postmaster_start_time()")
    query = "SELECT pid, backend_start FROM pg_stat_activity WHERE application_name = 'reader'"
    rows = until(lambda: node.sql(query), within_s=10, what="the session")
    return Witness(started, rows[0])


def open_session(node: Server) -> Witness:
    """Begin a session that does nothing until its client ends, which takes long."""
    argv = [node.installation.program("psql"), "-X", "-d", "postgres"]
    node.machine.spawn(
        [*argv, "-c", "SELECT 1", "-c", r"\! sleep 600"],
        log=node.machine.home / "session.out",
        env={"PGHOST": str(node.machine.socket_directory), "PGAPPNAME": "reader"},
    )
    return witness(node)


def detach(cluster: Cluster, node_id: int) -> None:
    """Detach a node, unless Pgpool-II already has it as down."""
    info = until(
        lambda: cluster.pgpool.node_info(node_id),
        within_s=20,
        what="Pgpool-II to answer",
        tolerating=(PcpError,),
    )
    if info.is_attached:
        cluster.pgpool.detach_node(node_id)


def recover(cluster: Cluster, node_id: int) -> str:
    """Detach and recover a node; return what the recovery has written to pgpool.log."""
    detach(cluster, node_id)
    before = len(cluster.pgpool.log_text())
    with cluster.load(name=f"load_{before}", through_pgpool=False) as load:
        cluster.recover(node_id)
        load.wait_for_commits(20)
    assert_recovered(cluster, node_id, load)
    return cluster.pgpool.log_text()[before:]


def make_follow(node: Server, upstream: Server) -> None:
    """Make a standby stream from another standby, as DBAs do to relieve the primary."""
    source = upstream.conninfo(REPLICATION_USER, application_name=node.name)
    node.execute(f"ALTER SYSTEM SET primary_conninfo = '{source}'")
    node.execute("ALTER SYSTEM SET primary_slot_name = ''")
    node.reload()
    query = f"SELECT 1 FROM pg_stat_replication WHERE application_name = '{node.name}'"
    until(lambda: upstream.sql(query), within_s=20, what=f"{node.name} to follow {upstream.name}")


def test_standby_of_a_primary_that_died_follows_the_new_one(cluster: Cluster) -> None:
    """Its server and a session on it keep running; the dead primary is not touched."""
    node = cluster.node(2)
    before = open_session(node)
    old = cluster.primary
    new = cluster.fail_over()
    assert new.node_id == 1
    detach(cluster, 2)
    said = plan(cluster, 2)
    assert (said["method"], said["target_runs"], said["target_streams"]) == ("repoint", True, False)
    assert witness(node) == before
    log = recover(cluster, 2)
    assert all(sentence in log for sentence in said["sentences"][1:]), (said, log)
    assert methods(log) == ["repoint"], log
    assert "not attach: node 2 is not known to stream from this primary" in log
    assert witness(node) == before
    assert cluster.slots(1) == {slot_of(2): True}
    recover(cluster, old.node_id)


def test_begin_of_a_record_that_the_dead_primary_was_sending(cluster: Cluster) -> None:
    """All standbys have the begin of it; the new primary's timeline forks before that record."""
    old, node = cluster.primary, cluster.node(2)
    assert old.node_id == 1
    before = witness(node)
    begin = old.wal_position()
    cluster.host(1).shape(4)
    old.machine.spawn(
        [
            *(old.installation.program("psql"), "-X", "-d", "postgres", "-c"),
            f"SELECT pg_logical_emit_message(false, 'large', repeat('x', {8 * 2**20}))",
        ],
        log=old.machine.home / "large.out",
        env={"PGHOST": str(old.machine.socket_directory)},
    )
    for standby in (cluster.node(0), node):
        until(partial(has_received, standby, 300000, begin), within_s=30, what="a part of it")
    new = cluster.fail_over()
    cluster.host(1).shape(None)
    assert new.node_id == 0
    received, replayed = node.sql(
        "SELECT pg_last_wal_receive_lsn(), pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"
    )[0]
    assert replayed == "t", received
    assert methods(recover(cluster, 2)) == ["repoint"]
    assert witness(node) == before
    recover(cluster, old.node_id)


def has_received(standby: Server, count: int, since: str) -> bool:
    query = f"SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '{since}') > {count}"
    return standby.sql(query) == [("t",)]


def test_standby_of_a_standby_on_the_same_timeline(cluster: Cluster) -> None:
    node, upstream = cluster.node(2), cluster.node(1)
    make_follow(node, upstream)
    before = witness(node)
    assert methods(recover(cluster, 2)) == ["repoint"]
    assert witness(node) == before


def test_standby_has_received_what_the_new_primary_lacks(cluster: Cluster) -> None:
    """Node 1 is promoted, but lacks WAL that the other standby has."""
    old, node = cluster.primary, cluster.node(2)
    assert old.node_id == 0
    cluster.host(0).cut(cluster.host(1))
    old.execute("CREATE TABLE only_there AS SELECT generate_series(1, 1000)")
    until(lambda: node.sql("SELECT to_regclass('only_there')") != [("",)], within_s=20, what="it")
    new = cluster.fail_over()
    assert new.node_id == 1
    cluster.host(0).mend(cluster.host(1))
    before = witness(node)
    detach(cluster, 2)
    with pytest.raises(RecoveryError, match="server of node 2 is running"):
        cluster.recover(2)
    said = cluster.pgpool.log_text()
    assert "not repoint: node 2 has received WAL that the primary does not have" in said
    assert witness(node) == before
    with settings(cluster, MAY_STOP):
        log = recover(cluster, 2)
    assert methods(log) == ["rewind"], log
    assert "runner: not repoint: node 2 has received WAL that the primary does not have" in log
    assert witness_is_gone(node, before)
    recover(cluster, old.node_id)


def witness_is_gone(node: Server, before: Witness) -> bool:
    return node.sql("SELECT pg_postmaster_start_time()") != [(before.started,)]


def test_standby_that_does_not_stream_gets_its_settings_back(cluster: Cluster) -> None:
    """Its startup process is stopped, so no other WAL receiver is started."""
    primary, node, upstream = cluster.primary, cluster.node(2), cluster.node(0)
    make_follow(node, upstream)
    before = node.sql("SELECT name, setting FROM pg_settings WHERE name LIKE 'primary%'")
    primary.drop_slot(slot_of(2))
    slots = primary.slots()
    detach(cluster, 2)
    signal_startup(node, "STOP")
    with settings(cluster, IMPATIENT):
        call = Call(primary, node, "led_back")
        said = call.ends(60)
    assert "undo what was done" in said
    assert "does not stream from the primary" in said
    assert "server of node 2 is running" in said
    after = "SELECT name, setting FROM pg_settings WHERE name LIKE 'primary%'"
    until(lambda: node.sql(after) == before, within_s=10, what="the old settings")
    assert primary.slots() == slots
    signal_startup(node, "CONT")
    primary.execute("CREATE TABLE arrives AS SELECT 1")
    until(lambda: node.sql("SELECT to_regclass('arrives')") != [("",)], within_s=20, what="it")
    assert methods(recover(cluster, 2)) == ["repoint"]


def signal_startup(node: Server, name: str) -> None:
    signal(node, name, "startup")


def signal(node: Server, name: str, *backend_types: str) -> None:
    """Send a signal to a server's processes of some types (backend_type in pg_stat_activity)."""
    kinds = ", ".join(f"'{kind}'" for kind in backend_types)
    rows = node.sql(f"SELECT pid FROM pg_stat_activity WHERE backend_type IN ({kinds})")
    node.machine.run(["kill", f"-{name}", *(pid for (pid,) in rows)], user="root")


def test_agent_that_is_killed_after_it_has_repointed_the_server(cluster: Cluster) -> None:
    """The settings stay and the slot is gone; the next recovery completes the repoint."""
    primary, node, upstream = cluster.primary, cluster.node(2), cluster.node(0)
    make_follow(node, upstream)
    primary.drop_slot(slot_of(2))
    detach(cluster, 2)
    signal_startup(node, "STOP")
    call = Call(primary, node, "killed")
    query = f"SELECT 1 FROM pg_settings WHERE setting = '{slot_of(2)}'"
    until(lambda: node.sql(query), within_s=30, what="the settings to be in force")
    kill_agent(node)
    assert "the connection to node 2 was lost" in call.ends(30)
    assert slot_of(2) not in primary.slots()
    signal_startup(node, "CONT")
    before = open_session(node)
    assert methods(recover(cluster, 2)) == ["repoint"]
    assert witness(node) == before


WRITE_BY_THEMSELVES = ("background writer", "checkpointer", "autovacuum launcher")
PAUSED = """
import pathlib, sys, time
from pgpool_recovery.config.load import load_settings, settings_file
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.event import PlanMade, as_text
from pgpool_recovery.domain.node import parse_first_stage
from pgpool_recovery.recovery import recover

def emit(event):
    print(as_text(event), flush=True)
    if isinstance(event, PlanMade) and event.method == "repoint":
        for _ in range(600):
            if pathlib.Path(sys.argv[1]).exists():
                return
            time.sleep(0.1)

try:
    recover(parse_first_stage(sys.argv[2:], 0), load_settings(settings_file(None)), emit)
except RecoveryError as error:
    print(error.message, error.detail, error.target)
print("ended", flush=True)
"""
"""A recovery that waits, between its plan and its first step, until a file exists."""


def test_standby_receives_more_after_it_was_examined(cluster: Cluster, product: Product) -> None:
    """Its former primary runs on, as after a network split, so it gets ahead of the new one."""
    old, new, node = cluster.primary, cluster.node(0), cluster.node(2)
    assert old.node_id == 1
    ended = "SELECT pg_last_wal_receive_lsn()"
    signal(old, "STOP", *WRITE_BY_THEMSELVES)  # It must not get ahead before it is examined.
    until(lambda: new.sql(ended) == node.sql(ended), within_s=20, what="both to have the same")
    new.promote()
    log, go = new.machine.home / "paused.out", new.machine.home / "go"
    words = (new.data_directory, node.machine.address, node.data_directory, new.port, 2)
    with settings(cluster, MAY_STOP + IMPATIENT):
        new.machine.spawn(
            [
                *(product.command_on(new.machine.system).with_name("python"), "-c", PAUSED, go),
                *map(str, (*words, node.port, new.machine.address)),
            ],
            log=log,
            env={"PGHOST": str(new.machine.socket_directory), "PGPORT": str(new.port)},
        )
        read = new.machine.path(log).read_text
        try:
            until(lambda: "plan: repoint" in read(), within_s=60, what="the plan")
        except DeadlineError as error:
            error.add_note(read())
            raise
        finally:
            signal(old, "CONT", *WRITE_BY_THEMSELVES)
        old.execute("CREATE TABLE too_late AS SELECT generate_series(1, 100000)")
        until(lambda: node.sql("SELECT to_regclass('too_late')") != [("",)], within_s=20, what="it")
        new.machine.path(go).touch()
        until(lambda: "ended" in read(), within_s=90, what="the recovery to end")
    said = read()
    assert "repoint failed; looking for another method" in said, said
    assert re.search("(does not stream from|has replayed what) the primary", said), said
    assert "stop the server of the target, as the policy allows" in said
    assert "plan: rewind" in said
    new.stop()
    for server in (new, node):
        cluster.recover(server.node_id)
        assert_recovered(cluster, server.node_id)
