"""The PCP client against real Pgpool-II: 4.3, 4.7 and in `make test-all` 4.6, a cluster of each."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from pgpool_recovery.domain.error import Busy, Incomplete, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.pcp.client import commands, peer, request
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.digest import PasswordDigest
from pgpool_recovery.pcp.client.link import LinkLimits
from pgpool_recovery.pcp.client.pcp_error import Notice, PcpError
from pgpool_recovery.pcp.pool import ATTACHED, OTHER_RECOVERY, Pool
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.pgpool_configuration import PCP_PASSWORD, PCP_USER
from tests.harness.product import Product
from tests.harness.site import install
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import OLDEST_AND_NEWEST_RELEASE, PGPOOL_RELEASES

NODE = NodeId(1)
OVER_TCP = Path(__file__).with_name("over_tcp.py")


@dataclass(frozen=True)
class Site:
    """A cluster, and its Pgpool-II, which the tests reach by its Unix socket."""

    cluster: Cluster
    release: tuple[int, int]
    server: PcpServer

    @property
    def pool(self) -> Pool:
        return Pool(self.server)


@pytest.fixture(scope="module", params=OLDEST_AND_NEWEST_RELEASE)
def site(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Site]:
    with cluster_on_hosts(workspace, ClusterPlan(postgresql_major=request.param)) as cluster:
        install(cluster, product)
        place = cluster.pgpool.place
        sockets = place.machine.path(place.sockets)
        server = PcpServer(
            PcpAddress(str(sockets), place.pcp_port),
            PCP_USER,
            PasswordDigest.of_password(PCP_PASSWORD),
            limits=LinkLimits(answer_s=15),
        )
        major, minor = PGPOOL_RELEASES[request.param].split(".")
        with pytest.MonkeyPatch.context() as patch:
            # The test runs outside that system, where "postgres" may have another user id.
            patch.setattr(peer, "id_of_user", lambda _name: sockets.stat().st_uid)
            yield Site(cluster, (int(major), int(minor)), server)


def test_nodes(site: Site) -> None:
    def streams() -> bool:
        return site.pool.node(NODE).replication_state == "streaming"

    until(streams, within_s=10, what="Pgpool-II to see node 1 streaming")
    assert commands.node_count(site.server) == 2
    nodes = site.pool.nodes()
    for node, server in zip(nodes, site.cluster.servers, strict=True):
        assert node.node_id == server.node_id
        assert (node.hostname, node.port) == (server.machine.address, server.port)
        assert node.status in ("up", "waiting")
        assert node.weight == pytest.approx(0.5)
        assert (node.pg_status, node.pg_role) == ("up", node.role)
        assert node.lag_bytes is not None
        assert node.lag_s is None
    assert [node.role for node in nodes] == ["primary", "standby"]
    assert (nodes[0].replication_state, nodes[1].replication_state) == (None, "streaming")
    assert nodes[1].replication_sync_state == "async"
    asked = site.server._replace(release=site.release)
    # Pgpool-II checks the streams periodically, so two answers may be from different checks.
    until(
        lambda: site.pool.nodes() == commands.node_infos(asked),
        within_s=10,
        what="the same nodes with and without the release in the query",
    )


def test_lag_by_time(site: Site) -> None:
    """Pgpool-II 4.3 does not have the parameter and still reports bytes."""
    if site.release < (4, 4):
        assert site.pool.node(NODE).lag_bytes is not None
        return
    pgpool = site.cluster.pgpool
    pgpool.settings.extra["delay_threshold_by_time"] = "10"  # type: ignore[index]
    pgpool.reload()
    until(
        lambda: site.pool.node(NODE).lag_s is not None,
        within_s=10,
        what="a lag in seconds",
    )
    assert site.pool.node(NODE).lag_bytes is None


def test_what_is_counted(site: Site) -> None:
    stats = commands.health_check_stats(site.server, 1)
    assert (stats.node_id, stats.port) == (1, site.cluster.node(1).port)
    assert stats.total_count >= stats.success_count
    pids = commands.child_pids(site.server)
    assert len(pids) == 12
    host, port = site.server.address.host, site.cluster.pgpool.place.port
    with psycopg.connect(host=host, port=port, dbname="template1", user="postgres"):
        processes = commands.pool_processes(site.server)
        used = [process for process in processes if process.database == "template1"]
        one_process = commands.pool_processes(site.server, used[0].pid)
    assert {process.pid for process in processes} == set(pids)
    assert {process.pid for process in one_process} == {used[0].pid}
    assert {process.backend_id for process in used} == {0, 1}
    assert {(process.username, process.is_connected) for process in used} == {("postgres", True)}


def test_configuration(site: Site) -> None:
    parameters = {row.name: row.value for row in site.pool.parameters()}
    assert parameters["recovery_1st_stage_command"] == "recovery_1st_stage"
    assert parameters["backend_data_directory1"] == str(site.cluster.node(1).data_directory)
    assert parameters["pcp_port"] == str(site.server.address.port)
    assert not [name for name in parameters if name.endswith("password")]


def test_refusals(site: Site) -> None:
    with pytest.raises(Refused, match="informing node info failed") as caught:
        site.pool.node(NodeId(77))
    assert caught.value.detail == "invalid node ID : 77"
    with pytest.raises(Refused, match="watchdog") as caught:
        site.pool.watchdog()
    assert caught.value.detail == "watchdog is not enabled"
    with pytest.raises(Refused, match="node id: 1 is alive"):
        site.pool.recover(NODE)
    with pytest.raises(PcpError) as of_release:
        commands.order(site.server, request.invalidate_query_cache())
    known = site.release >= (4, 6)
    said = f"{of_release.value.message} {of_release.value.detail}"
    assert ("query cache is not enabled" if known else 'packet type "G"') in said


def test_wrong_password(site: Site) -> None:
    wrong = site.server._replace(password=PasswordDigest.of_password("wrong"))
    with pytest.raises(Unreachable, match='authentication failed for user "pgpool"'):
        Pool(wrong).nodes()
    with pytest.raises(Unreachable, match='authentication failed for user "nobody"'):
        Pool(site.server._replace(user="nobody")).nodes()


def test_password_of_a_pass_file(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "pcppass"
    host, port = site.server.address
    file.write_text(f"localhost:{port}:*:wrong\n{host}:{port}:{PCP_USER}:{PCP_PASSWORD}\n")
    file.chmod(0o600)
    server = site.server._replace(password=None, pass_file=str(file))
    assert commands.node_count(server) == 2


def test_over_tcp(site: Site, product: Product) -> None:
    """The installed product on a client's host reaches Pgpool-II over TCP."""
    client, place = site.cluster.client, site.cluster.pgpool.place
    client.write_file(client.home / OVER_TCP.name, OVER_TCP.read_text())
    python = product.command_on(client.system).with_name("python")
    argv = [python, client.home / OVER_TCP.name, place.machine.name, place.pcp_port, PCP_USER]
    words = [str(word) for word in argv]
    found = json.loads(client.run(words, stdin=PCP_PASSWORD).stdout)
    assert found["hosts"] == [server.machine.address for server in site.cluster.servers]
    assert "could not connect to Pgpool-II at" in found["wrong port"]
    assert "Connection refused" in found["wrong port detail"]
    assert "closed the connection during the login" in found["port of clients"], found


def test_detach_and_attach(site: Site) -> None:
    down = site.pool.detach(NODE)
    assert (down.status, down.pg_status) == ("down", "up")
    attached = site.pool.attach(NODE)
    assert attached.is_attached
    assert attached.status_changed_at is not None
    assert down.status_changed_at is not None
    assert attached.status_changed_at >= down.status_changed_at


def take_down(site: Site) -> None:
    """Stop and detach node 1, since detaching is quicker than waiting for the health checks."""
    site.cluster.node(1).stop()
    site.pool.detach(NODE)


def test_recovery_that_fails(site: Site) -> None:
    """The node stays down for the next test."""
    primary = site.cluster.node(0)
    script = primary.data_directory / "recovery_1st_stage"
    take_down(site)
    told: list[Notice] = []
    primary.machine.run(["mv", script, f"{script}.away"])
    with pytest.raises(Incomplete, match='execution of command failed at "1st stage"') as caught:
        site.pool.recover(NODE, told.append)
    primary.machine.run(["mv", f"{script}.away", script])
    assert caught.value.detail == 'command:"recovery_1st_stage"'
    assert told[0].message == "starting recovering node 1"
    assert site.pool.node(NODE).status == "down"


def test_recovery_with_its_lines(site: Site) -> None:
    """The lines arrive during the recovery: with the first one, the node is not attached yet."""
    told: list[Notice] = []
    states: list[str] = []

    def tell(notice: Notice) -> None:
        told.append(notice)
        if len(told) == 1:
            states.append(site.pool.node(NODE).status)

    site.pool.recover(NODE, tell, within_s=60)
    messages = [notice.message for notice in told]
    assert states == ["down"]
    assert messages[0] == "starting recovering node 1"
    assert "node recovery, 1st stage is done" in messages
    assert messages[-1] == "recovery done"
    assert {notice.severity for notice in told} <= {"LOG", "NOTICE", "WARNING"}
    assert site.pool.wait_for(NODE, ATTACHED, within_s=20).is_attached
    assert PCP_PASSWORD not in str(told)


@pytest.mark.parametrize("site", OLDEST_AND_NEWEST_RELEASE[:1], indirect=True)
def test_recovery_goes_on_when_its_client_leaves(site: Site) -> None:
    class Left(Exception):
        """The exception with which the client leaves."""

    def leave(notice: Notice) -> None:
        raise Left(notice.message)

    take_down(site)
    with pytest.raises(Left, match="starting recovering node 1"):
        site.pool.recover(NODE, leave)
    with pytest.raises(Busy, match="process recovery request failed") as caught:
        site.pool.recover(NODE)
    assert caught.value.detail == OTHER_RECOVERY
    assert site.pool.wait_for(NODE, ATTACHED, within_s=60).is_attached


def test_promotion(site: Site) -> None:
    """The request has the form for the release, which is known from the answer about the node."""
    with pytest.raises(Refused) as caught:
        site.pool.promote(NodeId(0), switchover=False)
    assert "already primary" in f"{caught.value.message} {caught.value.detail}"
    site.pool.promote(NODE, switchover=True)
    until(
        lambda: site.pool.node(NODE).role == "primary",
        within_s=30,
        what="node 1 to be the primary",
        tolerating=(Unreachable,),
    )
    assert site.cluster.node(1).is_in_recovery is False


def wait_for_children(site: Site) -> None:
    """Wait until no more child processes are restarted.

    After a failover each one is restarted when it is idle. A process that is forked at the moment
    of a stop does not get the signal, and then Pgpool-II 4.6 waits for it forever.
    """
    seen: list[list[int]] = []

    def are_the_same_as_before() -> bool:
        seen.append(commands.child_pids(site.server))
        return len(seen) > 1 and seen[-2] == seen[-1]

    until(are_the_same_as_before, within_s=20, every_s=0.5, what="child processes to restart")


def test_stop_is_the_last_thing(site: Site) -> None:
    """Pgpool-II is stopped, so this is the last test on each of this file's clusters."""
    pgpool = site.cluster.pgpool
    wait_for_children(site)
    with pytest.raises(PcpError) as caught:
        commands.order(site.server, request.stop_pgpool("slow"))
    assert caught.value.sqlstate == "22023"
    commands.order(site.server, request.stop_pgpool("fast"))
    until(lambda: not pgpool.is_running, within_s=20, what="Pgpool-II to end")
    with pytest.raises(Unreachable, match="could not connect to Pgpool-II at"):
        site.pool.nodes()
