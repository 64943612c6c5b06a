"""A running primary is replaced only by a standby that is known to be fit and has all its WAL.

A load keeps an account of what clients were told is committed. The tests build on each other: each
one leaves its cluster to the next.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.host import Host
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered
from tests.harness.template import PASSWORDS, SUPERUSER
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.hooks.site import (
    hook_lines,
    log_since,
    site_with_hooks,
    wait_for_primary,
    wait_until_said,
)
from tests.operator.site import Site

pytestmark = pytest.mark.in_order
NO_SLOT = "ALTER SYSTEM SET primary_slot_name = ''; SELECT pg_reload_conf();"
MUCH = "CREATE TABLE much AS SELECT repeat('x', 800) AS t FROM generate_series(1, 30000)"


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    plan = ClusterPlan(
        standbys=2,
        authentication="scram-sha-256",
        settings={"wal_log_hints": "on"},
        pgpool=PgpoolSettings(extra={"search_primary_node_timeout": "5"}),
    )
    with site_with_hooks(workspace, product, plan) as site:
        yield site


def said_since(site: Site, before: int) -> str:
    return "\n".join(hook_lines(log_since(site, before)))


def _is_free(primary: Server, slot: str) -> bool:
    return not primary.slots()[slot]


def receiver_of(node: Server) -> str:
    return until(
        lambda: node.sql("SELECT pid FROM pg_stat_wal_receiver WHERE status = 'streaming'"),
        within_s=30,
        what=f"{node.name} to stream",
    )[0][0]


def signal(node: Server, name: str, pid: str) -> None:
    node.machine.run(["kill", f"-{name}", pid], user="root")


@contextmanager
def frozen_receivers(*nodes: Server) -> Iterator[list[tuple[Server, str]]]:
    """Stop the WAL receivers of nodes, so that the primary's WAL senders have to wait."""
    pids = [(node, receiver_of(node)) for node in nodes]
    for node, pid in pids:
        signal(node, "STOP", pid)
    try:
        yield pids
    finally:
        for node, pid in pids:
            node.machine.run(["kill", "-CONT", pid], user="root", check=False)


def wait_until_it_stops(node: Server) -> None:
    until(lambda: not node.accepts_connections, within_s=60, what=f"{node.name} to stop")


def test_promise_10_glitch_to_a_primary_while_no_standby_accepts_our_login(site: Site) -> None:
    """~/.pgpass lacks the lines of the standbys, and the link to the primary fails for seconds."""
    cluster, machine = site.cluster, site.cluster.pgpool.machine
    passfile = machine.home / ".pgpass"
    stood = machine.path(passfile).read_text()
    only = f"{cluster.node(0).machine.address}:*:*:{SUPERUSER}:{PASSWORDS[SUPERUSER]}\n"
    machine.write_file(passfile, only)
    started = cluster.node(0).sql("SELECT pg_postmaster_start_time()")
    before = len(cluster.pgpool.log_text())
    assert isinstance(machine, Host)
    load = cluster.load(name="glitch", through_pgpool=False)
    with load:
        cluster.host(0).cut(machine)
        wait_until_said(site, "failover: node 0 is down", before)
        cluster.host(0).mend(machine)
        wait_until_said(site, "failover: ERROR: ", before)
        load.wait_for_commits(50)
        wait_until_said(site, "failover done", before)
    machine.write_file(passfile, stood)
    assert cluster.node(0).sql("SELECT pg_postmaster_start_time()") == started
    assert all(cluster.node(node).is_in_recovery for node in (1, 2))
    said = said_since(site, before)
    assert "no password supplied" in said
    assert "is stopped" not in said
    assert load.lost_numbers(cluster.node(0)) == []
    attached = site.run("attach", 0)
    assert attached.returncode == 0, attached.output
    assert cluster.primary.node_id == 0


def stream_by_name(standby: Server, primary: Host) -> None:
    [(stood,)] = standby.sql("SHOW primary_conninfo")
    conninfo = stood.replace(primary.address, primary.name).replace("'", "''")
    standby.execute(f"ALTER SYSTEM SET primary_conninfo = '{conninfo}'; SELECT pg_reload_conf()")
    until(
        lambda: standby.sql("SELECT sender_host FROM pg_stat_wal_receiver") == [(primary.name,)],
        within_s=30,
        what=f"{standby.name} to stream from {primary.name}",
    )


def test_promise_10_primary_that_its_standbys_hear_is_not_replaced(site: Site) -> None:
    """Only this host is cut off from it, so it still accepts writes, and cannot be stopped.

    Its standbys reach it by its host name, whereas pgpool.conf has its address.
    """
    cluster, machine = site.cluster, site.cluster.pgpool.machine
    assert isinstance(machine, Host)
    for standby in (cluster.node(1), cluster.node(2)):
        stream_by_name(standby, cluster.host(0))
    before = len(cluster.pgpool.log_text())
    load = cluster.load(name="heard", through_pgpool=False)
    with load:
        cluster.host(0).cut(machine)
        wait_until_said(site, "failover: ERROR: ", before)
        cluster.host(0).mend(machine)
        load.wait_for_commits(50)
    wait_until_said(site, "failover done", before)
    said = said_since(site, before)
    assert "It still sends WAL to node" in said
    assert all(cluster.node(node).is_in_recovery for node in (1, 2))
    assert load.lost_numbers(cluster.node(0)) == []
    attached = site.run("attach", 0)
    assert attached.returncode == 0, attached.output
    assert cluster.primary.node_id == 0


def test_promise_10_standby_that_lags_without_a_slot_gets_everything(site: Site) -> None:
    """The primary's own shutdown checkpoint would remove WAL that has yet to be sent."""
    cluster = site.cluster
    primary, standbys = cluster.node(0), (cluster.node(1), cluster.node(2))
    for standby in standbys:
        standby.execute(NO_SLOT)
        until(
            partial(_is_free, primary, standby.slot),
            within_s=30,
            what=f"slot {standby.slot} to be free",
        )
        primary.drop_slot(standby.slot)
    primary.execute("CHECKPOINT")
    site.write_settings("[failover]\nmax_lag_mb = 64\n")
    before = len(cluster.pgpool.log_text())
    load = cluster.load(name="lagging", through_pgpool=False)
    with load:
        with frozen_receivers(*standbys):
            primary.execute(MUCH)
            load.wait_for_commits(100)
            cluster.pgpool.detach_node(0)
            cluster.host(0).shape(80)  # Sending the rest then takes longer than the checkpoint.
            wait_until_it_stops(primary)
        wait_until_said(site, "node 0 has stopped", before)
        cluster.host(0).shape(None)
    wait_until_said(site, "follow_primary: node 0 is back", before)
    said = said_since(site, before)
    assert "node 1 has all the WAL that node 0 wrote" in said
    assert load.lost_numbers(cluster.node(1)) == []
    wait_until_said(site, "follow_primary: node 2 is back", before)
    assert_recovered(cluster, 0)
    assert_recovered(cluster, 2)
    assert not any(name.startswith("pgpool_node_") for name in cluster.slots(0))


def test_promise_10_no_node_that_lacks_the_last_wal_is_promoted(site: Site) -> None:
    """The WAL senders die during the stop: the hook says how to undo it, and nothing is lost."""
    cluster = site.cluster
    primary, standbys = cluster.node(1), (cluster.node(0), cluster.node(2))
    before = len(cluster.pgpool.log_text())
    load = cluster.load(name="cut", through_pgpool=False)
    with load, frozen_receivers(*standbys) as pids:
        primary.execute("CREATE TABLE more AS TABLE much")
        load.wait_for_commits(50)
        cluster.pgpool.detach_node(1)
        wait_until_it_stops(primary)
        for standby, pid in pids:
            signal(standby, "TERM", pid)
    wait_until_said(site, "no other node has all the WAL that node 1 wrote", before)
    wait_until_said(site, "failover done", before)
    said = said_since(site, before)
    assert "node 1 was stopped by this command and no other node took its place" in said
    assert all(standby.is_in_recovery for standby in standbys)
    (command,) = set(re.findall(r" run (\S+/pg_ctl start -D \S+)", said))
    primary.machine.run([*shlex.split(command), "-l", primary.log_file])
    attached = site.run("attach", 1)
    assert attached.returncode == 0, attached.output
    assert load.lost_numbers(primary) == []
    site.write_settings()
    for node_id in (0, 2):
        if not cluster.pgpool.node_info(node_id).is_attached:
            assert site.run("recover", node_id).returncode == 0
        assert_recovered(cluster, node_id)


def test_promise_10_node_that_was_asked_for_is_promoted_though_another_is_faster(
    site: Site,
) -> None:
    """The hook also gets a SIGTERM in the middle, as from systemd when Pgpool-II is stopped."""
    cluster, primary = site.cluster, site.cluster.primary
    asked, faster = others_of(site, primary)
    before = len(cluster.pgpool.log_text())
    load = cluster.load(name="asked", through_pgpool=False)
    with load:
        with frozen_receivers(asked):
            load.wait_for_commits(50)
            cluster.pgpool.detach_node(primary.node_id)
            wait_until_it_stops(primary)
            end_politely(site, "failover")
        wait_until_said(site, f"follow_primary: node {faster.node_id} is back", before)
    said = said_since(site, before)
    assert f"if no node takes its place, start the server of node {primary.node_id} again" in said
    assert f"node {asked.node_id} has all the WAL that node {primary.node_id} wrote" in said
    assert f"node {asked.node_id} accepts writes after" in said
    assert load.lost_numbers(asked) == []
    wait_until_said(site, f"follow_primary: node {primary.node_id} is back", before)


def end_politely(site: Site, hook: str) -> None:
    machine = site.cluster.pgpool.machine
    for process in machine.processes():
        if hook in process.argv:
            machine.run(["kill", "-TERM", str(process.pid)], user="root")


def raise_connections(site: Site, primary: Server, standby: Server, number: int) -> None:
    """Raise max_connections of a primary and one standby, with Pgpool-II stopped meanwhile."""
    site.cluster.pgpool.stop()
    for server in (standby, primary):
        server.set(max_connections=str(number))
        server.restart()
    site.cluster.pgpool.start()


def others_of(site: Site, primary: Server) -> tuple[Server, Server]:
    """Return the standbys: Pgpool-II's choice, which has the lower node id, and the other one."""
    first, second = (node for node in site.cluster.servers if node is not primary)
    return first, second


def test_promise_10_standby_with_too_low_a_setting_is_not_promoted(site: Site) -> None:
    """Pgpool-II's choice would shut down when it is promoted; the other one is fit."""
    cluster, primary = site.cluster, site.cluster.primary
    low, fit = others_of(site, primary)
    raise_connections(site, primary, fit, 70)
    until(
        lambda: low.sql("SELECT pg_is_wal_replay_paused()") == [("t",)],
        within_s=30,
        what=f"{low.name} to pause",
    )
    before = len(cluster.pgpool.log_text())
    load = cluster.load(name="low", through_pgpool=False)
    with load:
        load.wait_for_commits(50)
        cluster.pgpool.detach_node(primary.node_id)
        back = f"follow_primary: node {primary.node_id} is back"
        wait_until_said(site, back, before)
    said = said_since(site, before)
    choice = f"node {low.node_id}, Pgpool-II's choice, is not promoted: its server would shut down"
    assert choice in said
    assert "max_connections is 60 there, but must be at least 70, as on the primary" in said
    assert f"node {fit.node_id} has all the WAL that node {primary.node_id} wrote" in said
    assert load.lost_numbers(fit) == []
    assert low.is_in_recovery
    low.set(max_connections="70")
    low.restart()
    if not cluster.pgpool.node_info(low.node_id).is_attached:
        recovered = site.run("recover", low.node_id, "--wait")  # The hook may be recovering it.
        assert recovered.returncode == 0, recovered.output
    assert_recovered(cluster, low.node_id)


def at_promotion(node: Server, command: str) -> None:
    """Make a standby run a command when it is promoted, since it then asks for a history file."""
    # With "latest" it would ask for history files earlier, too.
    node.execute("ALTER SYSTEM SET recovery_target_timeline = 'current'")
    node.restart()
    restore = f"case %f in *.history) {command};; esac; exit 1"
    node.execute(f"ALTER SYSTEM SET restore_command = '{restore}'; SELECT pg_reload_conf()")
    receiver_of(node)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("kill -KILL $(head -n 1 postmaster.pid)", "but its server has ended"),
        ("sleep 600", "but does not accept writes after 3 seconds"),
    ],
    ids=["server ends", "takes too long"],
)
def test_promise_10_next_one_is_promoted_when_a_promotion_fails(
    site: Site, command: str, said: str
) -> None:
    """The first one has not become a primary and cannot: its server has ended, or is stopped."""
    cluster, primary = site.cluster, site.cluster.primary
    first, second = others_of(site, primary)
    at_promotion(first, command)
    site.write_settings("[timeout]\npromote_s = 3\n")
    before = len(cluster.pgpool.log_text())
    load = cluster.load(name=f"failing_{primary.node_id}", through_pgpool=False)
    with load:
        load.wait_for_commits(50)
    primary.kill()
    wait_until_said(site, f"node {second.node_id} accepts writes after", before)
    wait_for_primary(site, second.node_id)
    warning = f"WARNING: node {first.node_id} was told to promote itself {said}"
    assert warning in said_since(site, before).replace(",", "")
    assert not first.is_running
    assert load.lost_numbers(second) == []
    site.write_settings()
    own = str(first.data_directory / "postgresql.auto.conf")
    first.machine.run(["sed", "-i", "/^restore_command/d;/^recovery_target_timeline/d", own])
    for node in (first, primary):
        recovered = site.run("recover", node.node_id, "--yes")
        assert recovered.returncode == 0, recovered.output
    assert_recovered(cluster, first.node_id)
