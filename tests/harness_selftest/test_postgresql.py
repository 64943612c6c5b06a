"""A server does what its methods say, in both layouts."""

from pathlib import Path

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.command import CommandError
from tests.harness.contents import compare_contents, wait_for_replay
from tests.harness.host import Host
from tests.harness.installation import system_installation
from tests.harness.network import Network
from tests.harness.postgresql import Server
from tests.harness.until import until
from tests.harness.workspace import Workspace

Pair = tuple[Server, Server]


def pair_on(network: Network, workspace: Workspace, plan: ClusterPlan) -> Pair:
    alpha, beta, gamma = network.hosts
    site = Site([alpha, beta], gamma, gamma, system_installation())
    primary, standby = build_servers(workspace, plan, site)
    return primary, standby


@pytest.fixture
def pair(network: Network, workspace: Workspace) -> Pair:
    """A primary and its standby in the plain layout, on hosts of their own, without Pgpool-II."""
    return pair_on(network, workspace, ClusterPlan())


def test_values_come_back_whole(pair: Pair) -> None:
    query = "SELECT E'two\\nlines', 'a,\"b\"', '', 7 UNION ALL SELECT 'x', 'y', NULL, 8"
    assert pair[0].sql(query) == [("two\nlines", 'a,"b"', "", "7"), ("x", "y", "", "8")]
    assert pair[0].sql("SELECT NULL") == [("",)]
    assert pair[0].sql("SELECT WHERE false") == []


def test_the_first_failing_statement_is_an_error(pair: Pair) -> None:
    with pytest.raises(CommandError, match='relation "nowhere" does not exist'):
        pair[0].execute("SELECT * FROM nowhere; CREATE TABLE never ()")
    assert pair[0].sql("SELECT to_regclass('never')") == [("",)]


def test_a_standby_streams_through_its_slot_and_can_be_promoted(pair: Pair) -> None:
    primary, standby = pair
    assert (primary.is_in_recovery, standby.is_in_recovery) == (False, True)
    until(lambda: primary.slots() == {"node_1": True}, within_s=20, what="the standby to stream")
    primary.execute("CREATE TABLE t AS SELECT 1 AS a")
    wait_for_replay(standby, primary.wal_position())
    assert standby.sql("SELECT a FROM t") == [("1",)]
    standby.promote()
    assert not standby.is_in_recovery


def test_a_killed_server_is_dead_at_once_and_recovers(pair: Pair) -> None:
    server = pair[0]
    server.execute("CREATE TABLE t AS SELECT 1 AS a")
    server.kill()
    assert (server.is_running, server.accepts_connections, server.processes()) == (False, False, [])
    assert server.controldata()["Database cluster state"] == "in production"
    server.start()
    assert "database system was not properly shut down" in server.log_text()
    assert server.sql("SELECT a FROM t") == [("1",)]


def test_a_lost_node_has_no_data(pair: Pair) -> None:
    pair[1].lose()
    assert not pair[1].machine.path(pair[1].data_directory).exists()


def test_settings_and_hba_lines_take_effect(pair: Pair) -> None:
    primary, standby = pair
    primary.set(work_mem="5MB", log_line_prefix="it's ")
    assert primary.sql("SHOW work_mem") == [("5MB",)]
    assert primary.sql("SHOW log_line_prefix") == [("it's ",)]
    primary.allow(f"host all all {standby.machine.address}/32 reject")
    psql = standby.installation.program("psql")
    with pytest.raises(CommandError, match=r"pg_hba\.conf rejects connection"):
        standby.machine.run([psql, primary.conninfo(dbname="postgres"), "-c", "SELECT 1"])


def test_a_server_that_does_not_start_shows_its_log(pair: Pair) -> None:
    server = pair[0]
    server.stop()
    server.set(shared_buffers="nonsense")
    with pytest.raises(CommandError) as caught:
        server.start()
    assert 'invalid value for parameter "shared_buffers"' in "".join(caught.value.__notes__)


def test_a_tablespace_reaches_the_standby(pair: Pair) -> None:
    primary, standby = pair
    location = Path("/srv/tablespaces/fast")
    primary.create_tablespace("fast", location, also_on=[standby])
    primary.execute("CREATE TABLE t TABLESPACE fast AS SELECT generate_series(1, 9) AS a")
    assert compare_contents(primary, standby)
    assert list(standby.machine.path(location).iterdir())


def test_a_comparison_says_what_differs(pair: Pair) -> None:
    primary, standby = pair
    primary.execute("CREATE DATABASE other")
    primary.execute('CREATE TABLE "A b" AS SELECT generate_series(1, 3) AS a', database="other")
    primary.execute("CREATE TABLE same AS SELECT 1")
    assert compare_contents(primary, standby)
    standby.promote()
    standby.execute('UPDATE "A b" SET a = 7 WHERE a = 1', database="other")
    standby.execute("CREATE TABLE extra ()")
    comparison = compare_contents(primary, standby)
    assert not comparison
    names = [difference.split(":")[0] for difference in comparison.differences]
    assert names == ['other.public."A b"', "postgres.public.extra"]


def test_passwords_are_asked_for_and_known(network: Network, workspace: Workspace) -> None:
    plan = ClusterPlan(authentication="scram-sha-256")
    primary, standby = pair_on(network, workspace, plan)
    assert compare_contents(primary, standby)
    psql = [primary.installation.program("psql"), "-w", primary.conninfo(dbname="postgres")]
    no_password_file = {"PGPASSFILE": "/dev/null"}
    with pytest.raises(CommandError, match="no password supplied"):
        standby.machine.run([*psql, "-c", "SELECT 1"], env=no_password_file)
    standby.machine.run([*psql, "-c", "SELECT 1"])


def test_the_debian_layout_is_debians(network: Network, workspace: Workspace) -> None:
    primary, standby = pair_on(network, workspace, ClusterPlan(layout="debian"))
    major = primary.installation.major
    listed = primary.machine.run(["pg_lsclusters", "--no-header"]).stdout.split()
    assert listed[:4] == [str(major), "main", "5432", "online"]
    assert primary.sql("SHOW config_file") == [(f"/etc/postgresql/{major}/main/postgresql.conf",)]
    assert not primary.machine.path(primary.data_directory / "postgresql.conf").exists()
    assert compare_contents(primary, standby)
    primary.stop()
    assert "database system is shut down" in primary.log_text()


def test_a_fresh_identity_is_another_cluster(network: Network, workspace: Workspace) -> None:
    alpha, beta, gamma = network.hosts

    def identity(host: Host, plan: ClusterPlan) -> str:
        site = Site([host], gamma, gamma, system_installation())
        [server] = build_servers(workspace, plan, site)
        return server.controldata()["Database system identifier"]

    assert identity(alpha, ClusterPlan()) != identity(beta, ClusterPlan(fresh_identity=True))
