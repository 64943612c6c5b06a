"""A standby that only lacks WAL is started within the first stage, by the agent that is running.

The remote start then asks the primary whether the stream by which the node was proven is still the
same one; if not, it examines the node itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts, streams, wait_for_no_agent
from tests.harness.until import until
from tests.harness.workspace import Workspace

STILL = "it still streams"
SLOW = "case %f in *.history) false;; *) sleep 5; false;; esac"
"""A restore_command for which a server waits before it accepts connections."""
LOOKED_AGAIN = "it was running already"


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(settings={"wal_log_hints": "on"})) as made:
        made.node(0).execute("CREATE TABLE ledger (x int)")
        yield made


@pytest.fixture
def down(cluster: Cluster) -> Cluster:
    """Return a cluster whose node 1 is stopped and lacks some WAL."""
    if cluster.node(1).is_running:
        cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    cluster.pgpool.wait_until_settled()
    cluster.node(0).execute("INSERT INTO ledger VALUES (1)")
    return cluster


class Session:
    """A session that calls the functions as Pgpool-II does, and the notices of each call."""

    def __init__(self, cluster: Cluster, connection: psycopg.Connection) -> None:
        self._node, self._primary = cluster.node(1), cluster.node(0)
        self._connection = connection
        self._told: list[str] = []
        connection.add_notice_handler(lambda said: self._told.append(said.message_primary or ""))

    def first_stage(self) -> str:
        node, primary = self._node, self._primary
        return self._called(
            "SELECT pgpool_recovery('recovery_1st_stage', %s, %s, '5432', 1, '5432', %s)",
            (node.machine.address, str(node.data_directory), primary.machine.address),
        )

    def remote_start(self) -> str:
        node = self._node
        query = "SELECT pgpool_remote_start(%s, %s)"
        return self._called(query, (node.machine.address, str(node.data_directory)))

    def _called(self, query: str, words: tuple[str, ...]) -> str:
        self._told.clear()
        self._connection.execute(query, words)
        return "\n".join(self._told)


@contextmanager
def session(cluster: Cluster) -> Iterator[Session]:
    where = cluster.node(0).conninfo_from_here("postgres", dbname="postgres")
    with psycopg.connect(where, autocommit=True) as connection:
        yield Session(cluster, connection)


def test_promise_recovery_by_pgpool_logs_in_once(down: Cluster) -> None:
    assert "Command Successful" in down.recover(1).output
    said = down.node(0).log_text().rpartition("plan: catch-up")[2]
    assert "it accepts connections on port" in said.partition("ready to be started")[2]
    assert STILL in said
    assert_recovered(down, 1)


WRAPPER = """#!/bin/sh
set -e
pgpool-recovery recovery_1st_stage "$@"
echo "the work of this site comes now"
"""


def test_first_stage_that_calls_ours_does_its_work_before_the_start(down: Cluster) -> None:
    primary = down.node(0)
    path = primary.data_directory / "recovery_1st_stage"
    ours = primary.machine.path(path).read_text()
    primary.machine.write_file(path, WRAPPER, mode=0o700)
    try:
        with session(down) as one:
            assert "it accepts connections" not in one.first_stage()
            assert not down.node(1).is_running
            assert "it accepts connections" in one.remote_start()
    finally:
        primary.machine.write_file(path, ours, mode=0o700)


def test_another_session_examines_the_node_itself(down: Cluster) -> None:
    with session(down) as one:
        assert "it accepts connections" in one.first_stage()
    with session(down) as other:
        assert LOOKED_AGAIN in other.remote_start()


def test_what_was_proven_is_trusted_once(down: Cluster) -> None:
    with session(down) as one:
        one.first_stage()
        assert STILL in one.remote_start()
        assert LOOKED_AGAIN in one.remote_start()


@pytest.mark.parametrize("what", ["restarted", "stopped"])
def test_another_stream_proves_nothing(down: Cluster, what: str) -> None:
    node = down.node(1)
    with session(down) as one:
        one.first_stage()
        node.stop()
        if what == "restarted":
            node.start()
            until(lambda: streams(down.node(0), 1), within_s=20, what="node 1 to stream")
        said = one.remote_start()
    assert STILL not in said
    assert (LOOKED_AGAIN if what == "restarted" else "it accepts connections") in said


def test_node_is_started_though_no_remote_start_came(down: Cluster) -> None:
    with session(down) as one:
        one.first_stage()
    down.node(1).stop()
    with session(down) as other:
        other.first_stage()
        other.remote_start()
    query = "SELECT state, target_state FROM pgpool_recovery_run ORDER BY id DESC LIMIT 2"
    assert down.node(0).sql(query) == [("recovered", ""), ("failed", "started")]


@pytest.mark.parametrize("end", ["cancel", "lost agent"])
def test_start_that_ends_within_the_first_stage_is_reported(down: Cluster, end: str) -> None:
    """The server comes up after the call has ended; the next recovery completes."""
    node, primary = down.node(1), down.node(0)
    conf = node.layout.configuration_directory / "conf.d" / "99-slow.conf"
    node.machine.write_file(conf, f"restore_command = '{SLOW}'\n")
    try:
        call = Call(primary, node, end.replace(" ", "_"))
        until(lambda: node.is_running, within_s=60, what="the server to be started")
        now = primary.sql("SELECT step, sentence FROM pgpool_recovery_run ORDER BY id DESC LIMIT 1")
        assert now == [("", "start the server")]
        if end == "cancel":
            primary.execute(f"SELECT pg_cancel_backend({call.backend_pid})")
        else:
            agents = [one for one in node.machine.processes() if one.argv[-1:] == ("agent",)]
            node.machine.run(["kill", "-KILL", *(str(one.pid) for one in agents)], user="root")
        said = call.ends(90)
    finally:
        node.machine.path(conf).unlink()
    assert "The target is started." in said, said
    wait_for_no_agent(node)
    node.stop()
    down.recover(1)
    assert_recovered(down, 1)


def test_node_that_was_promoted_meanwhile_is_refused(down: Cluster) -> None:
    with session(down) as one:
        one.first_stage()
        down.node(1).execute("SELECT pg_promote()")
        with pytest.raises(psycopg.Error, match="accepts writes alongside the primary"):
            one.remote_start()
