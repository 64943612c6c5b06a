"""Promises 10 and 12: a started node either proves to be a standby, or is stopped again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import left_over, on_hosts, settings, slot_of, streams, write_settings
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until
from tests.harness.workspace import Workspace

IMPATIENT = "[timeout]\nstreaming_s = 3\n"
FAILED = "/var/lib/postgresql/start-it"
STOPPED = "The target is started, and stopped again."


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    """Yield a cluster of three nodes without Pgpool-II; the functions are called by hand."""
    plan = ClusterPlan(standbys=2, settings={"wal_log_hints": "on", "full_page_writes": "on"})
    with on_hosts(workspace, product, plan) as made:
        made.pgpool.stop()
        made.node(0).execute("CREATE TABLE ledger (x int)")
        yield made


@pytest.fixture
def ready(cluster: Cluster) -> Cluster:
    """Return a cluster with node 1 as the first stage leaves it: a standby that was not started."""
    if cluster.node(1).is_running:
        cluster.node(1).stop()
    write_settings(cluster, "")
    first_stage(cluster, 1)
    return cluster


def first_stage(cluster: Cluster, node_id: int) -> None:
    """Call the script by hand, which leaves the server of a standby that lacks WAL stopped."""
    node, primary = cluster.node(node_id), cluster.node(0)
    script = f"{primary.data_directory}/recovery_1st_stage"
    words = (primary.data_directory, node.machine.address, node.data_directory, 5432, node_id)
    argv = [script, *map(str, words), "5432", primary.machine.address]
    primary.machine.run(argv, env={"PGHOST": str(primary.machine.socket_directory)})


def remote_start(cluster: Cluster, primary_id: int = 0, node_id: int = 1) -> str:
    """Call the function as Pgpool-II does, and return the notices that psql shows."""
    node = cluster.node(node_id)
    call = f"SELECT pgpool_remote_start('{node.machine.address}', '{node.data_directory}')"
    return cluster.node(primary_id).execute(call).stderr


def refused_start(cluster: Cluster, primary_id: int = 0) -> str:
    with pytest.raises(CommandError) as caught:
        remote_start(cluster, primary_id)
    return caught.value.completed.output


@contextmanager
def started_by(cluster: Cluster, then: str, more: str = "") -> Iterator[None]:
    """Let node 1 be started by a script that runs a query before the server can be examined."""
    node = cluster.node(1)
    words = " ".join(f"'{word}'" for word in node.layout.start_argv())
    psql = f"{node.installation.program('psql')} -X -h {node.machine.socket_directory} -d postgres"
    text = f'#!/bin/sh\n{words} >/dev/null\n{psql} -c "{then}"\n'
    node.machine.write_file(FAILED, text, mode=0o700)
    own = f'[node.1]\nhost = "{node.machine.address}"\nstart_command = ["{FAILED}"]\n'
    with settings(cluster, own + more):
        yield


def test_promise_12_one_that_follows_is_proven_by_what_the_primary_writes(ready: Cluster) -> None:
    said = remote_start(ready)
    assert "it accepts connections" in said
    assert streams(ready.node(0), 1)
    assert left_over(ready.node(1)) == []


def test_promise_10_one_that_is_promoted_as_it_starts_is_stopped(ready: Cluster) -> None:
    """It is stopped whatever promotes it, and although standby.signal is gone by then."""
    node = ready.node(1)
    with started_by(ready, "SELECT pg_promote()"):
        said = refused_start(ready)
    assert "node 1 accepts writes alongside the primary" in said
    assert "Its server was stopped." in said
    assert STOPPED in said
    assert not node.is_running
    assert node.controldata()["Database cluster state"] == "shut down"


def test_promise_12_paused_replay_is_no_recovery(ready: Cluster) -> None:
    with started_by(ready, "SELECT pg_wal_replay_pause()"):
        said = refused_start(ready)
    assert "node 1 does not replay" in said
    assert STOPPED in said
    assert not ready.node(1).is_running
    remote_start(ready)


def test_promise_12_twin_that_uses_the_slot_is_not_the_node(ready: Cluster) -> None:
    """A clone with the node's slot name streams through its slot, but is not the node."""
    primary, twin = ready.node(0), ready.node(2)
    twin.execute(f"ALTER SYSTEM SET primary_slot_name = '{slot_of(1)}'")
    twin.reload()
    until(lambda: streams(primary, 1), within_s=20, what="the twin to use the slot")
    try:
        with settings(ready, IMPATIENT):
            said = refused_start(ready)
    finally:
        twin.execute("ALTER SYSTEM RESET primary_slot_name")
        twin.execute(f"ALTER SYSTEM SET primary_slot_name = '{twin.slot}'")
        twin.reload()
    assert f'and another client uses its slot "{slot_of(1)}"' in said
    assert twin.machine.address in said
    assert STOPPED in said
    assert not ready.node(1).is_running
    until(lambda: not primary.slots()[slot_of(1)], within_s=20, what="the slot to be free")
    remote_start(ready)
    assert streams(primary, 1)


def test_delayed_standby_is_back_when_it_streams(ready: Cluster) -> None:
    node = ready.node(1)
    node.settings["recovery_min_apply_delay"] = "1h"
    node.configure()
    first_stage(ready, 1)  # Again, since the node now has the delay.
    try:
        ready.node(0).execute("INSERT INTO ledger VALUES (1)")
        said = remote_start(ready)
        assert "replays with a delay of 3600 s (recovery_min_apply_delay)" in said
        assert streams(ready.node(0), 1)
    finally:
        del node.settings["recovery_min_apply_delay"]
        node.configure()


def test_node_that_rejects_logins_is_proven_by_its_processes(ready: Cluster) -> None:
    """The control file and its WAL receiver's process title prove it; without them nothing does."""
    node = ready.node(1)
    node.allow("local all all reject")
    try:
        assert "it accepts connections" in remote_start(ready)
        node.stop()
        node.settings["update_process_title"] = "off"
        node.configure()
        with settings(ready, IMPATIENT):
            said = refused_start(ready)
    finally:
        node.hba_lines.remove("local all all reject")
        node.settings.pop("update_process_title", None)
        node.configure()
        node.stop()
    assert "is not known to stream from the primary" in said
    assert "pg_hba.conf rejects connection" in said
    assert "The target is started." in said


def test_promise_10_agent_that_is_left_alone_stops_a_primary(ready: Cluster) -> None:
    """The runner is killed before it can verify the server; a broken link has the same effect."""
    primary, node = ready.node(0), ready.node(1)
    address = node.machine.address
    primary.allow(f"host replication all {address}/32 reject")
    try:
        words = ["-X", "-h", str(primary.machine.socket_directory), "-d", "postgres", "-c"]
        call = f"SELECT pgpool_remote_start('{address}', '{node.data_directory}')"
        child = primary.machine.spawn(
            [primary.installation.program("psql"), *words, call],
            log=primary.machine.home / "alone.out",
        )
        until(lambda: node.is_running and node.accepts_connections, within_s=30, what="the start")
        runner = until(lambda: runners(primary), within_s=10, what="the runner")
        primary.machine.run(["kill", "-STOP", *runner], user="root")
        node.promote()
        primary.machine.run(["kill", "-KILL", *runner], user="root")
        until(lambda: not node.is_running, within_s=60, what="the agent to stop it")
        child.wait(30)
    finally:
        primary.hba_lines.clear()
        primary.configure()
        primary.reload()


def runners(server: Server) -> list[str]:
    """Return the ids of our processes of a remote start on a server's host."""
    return [
        str(process.pid)
        for process in server.machine.processes()
        if any("pgpool_remote_start" in word for word in process.argv)
        and any("pgpool-recovery" in word or "pgpool_recovery" in word for word in process.argv)
    ]


@pytest.mark.parametrize("rows", [2, pytest.param(60_000, marks=pytest.mark.whole_matrix)])
def test_promise_12_wal_that_the_new_primary_never_had(cluster: Cluster, rows: int) -> None:
    """A standby that was ahead is pointed at a new primary, whose history file it has, and streams.

    With many rows its position is beyond all that the new primary has written; with few rows the
    new primary is past that position when the node is started.
    """
    old, ahead, new = cluster.node(0), cluster.node(1), cluster.node(2)
    make_all_follow(cluster)
    new.stop()
    old.execute(f"INSERT INTO ledger SELECT generate_series(1, {rows})")
    until(
        lambda: ahead.sql("SELECT max(x) FROM ledger") == [(str(rows),)], within_s=30, what="rows"
    )
    old.kill()
    ahead.kill()
    new.start()
    new.promote()
    new.execute("INSERT INTO ledger SELECT generate_series(1, 1000) ")
    lead(ahead, new)
    with settings(cluster, IMPATIENT):
        said = refused_start(cluster, primary_id=2)
    assert "has replayed what the primary does not have" in said, said
    assert "Recover the node again: another method will be used." in said
    assert STOPPED in said
    assert not ahead.is_running
    new.stop()


def make_all_follow(cluster: Cluster) -> None:
    """Create the standbys again, from node 0."""
    primary = cluster.node(0)
    for server in cluster.servers:
        server.kill()
    primary.start()
    for node in cluster.servers[1:]:
        primary.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active"
        )
        node.make_standby_of(primary)
        node.start()


def lead(node: Server, primary: Server) -> None:
    """Make a killed node a standby of another primary by hand, with that one's history file."""
    slot = slot_of(node.node_id)
    with suppress(CommandError):
        primary.execute(f"SELECT pg_create_physical_replication_slot('{slot}', true)")
    source = primary.conninfo(REPLICATION_USER, application_name=node.name)
    auto = node.data_directory / "postgresql.auto.conf"
    text = f"primary_conninfo = '{source}'\nprimary_slot_name = '{slot}'\n"
    node.machine.write_file(auto, text)
    history = "pg_wal/00000002.history"
    text = primary.machine.path(primary.data_directory / history).read_text()
    node.machine.write_file(node.data_directory / history, text)
