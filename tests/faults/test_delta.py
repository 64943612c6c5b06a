"""A delta is interrupted in every way and at every end, and the next one goes on from there.

The interrupted runs follow one another on the same half-written directory, while the primary is
written to. No server can be started in it, nobody writes into it once its run is over, and in the
end it equals the primary.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.test_ladder import lose_wal, methods
from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.proof import assert_equal
from tests.harness.site import assert_recovered, left_over, on_hosts, settings, wait_for_no_agent
from tests.harness.until import until
from tests.harness.workspace import Workspace

SLOW = '[policy]\nmax_rate = "2M"\nworkers = 2\nfall_down = false\n'
CHANGES = "UPDATE filler SET t = repeat(md5(random()::text), 16) WHERE g % 7 = {}"
pytestmark = pytest.mark.in_order


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(postgresql_major=15)) as made:
        made.primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 60000) g"
        )
        yield made


@pytest.fixture
def stale(cluster: Cluster) -> Cluster:
    """Return a cluster whose node 1 is down, perhaps half changed, and lacks WAL."""
    primary, node = cluster.node(0), cluster.node(1)
    primary.execute(CHANGES.format(len(cluster.pgpool.log_text()) % 7))
    if node.is_running:
        node.stop()
        cluster.pgpool.wait_for_node(1, "down")
        lose_wal(primary, node)
    return cluster


def agents(server: Server) -> list[int]:
    """Return the process ids of the agents on a host, the oldest first."""
    return sorted(one.pid for one in server.machine.processes() if one.argv[-1:] == ("agent",))


def kill(server: Server, pid: int) -> None:
    server.machine.run(["kill", "-KILL", str(pid)], user="root")


INTERRUPTIONS: dict[str, Callable[[Cluster, Call], object]] = {
    "the agent that holds the lock": lambda cluster, _: kill(
        cluster.node(1), agents(cluster.node(1))[0]
    ),
    "a receiver": lambda cluster, _: kill(cluster.node(1), agents(cluster.node(1))[-1]),
    "an agent of the source": lambda cluster, _: kill(cluster.node(0), agents(cluster.node(0))[-1]),
    "the session of the backup": lambda cluster, _: cluster.node(0).execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query ~ 'spcname not in' AND pid <> pg_backend_pid()"
    ),
    "a cancel": lambda cluster, call: cluster.node(0).execute(
        f"SELECT pg_cancel_backend({call.backend_pid})"
    ),
    "the backend": lambda cluster, call: cluster.node(0).execute(
        f"SELECT pg_terminate_backend({call.backend_pid})"
    ),
}


IN_WHOLE_MATRIX = ("the session of the backup", "a cancel", "the backend")


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=[pytest.mark.whole_matrix] * (what in IN_WHOLE_MATRIX))
        for what in INTERRUPTIONS
    ],
)
def test_promise_4_interrupted_delta_leaves_nothing_that_could_start(
    stale: Cluster, what: str
) -> None:
    primary, target = stale.node(0), stale.node(1)
    with settings(stale, SLOW):
        call = Call(primary, target, "".join(filter(str.isalpha, what)))
        call.says("MB compared (")
        INTERRUPTIONS[what](stale, call)
        said = call.ends(30)
    assert what == "the backend" or "The target is incomplete." in said, said
    wait_for_no_agent(target, within_s=10)
    until(lambda: not agents(primary), within_s=10, what="the source's agents to be gone")
    until(lambda: not primary.slots(), within_s=20, what="the slot to be dropped")
    assert not target.machine.path(target.data_directory).exists()
    assert left_over(target) == ["data.pgpool_recovery"]
    written = target.machine.path(f"{target.data_directory}.pgpool_recovery/new/global")
    assert not (written / "pg_control").exists()
    assert (written / "pgpool_recovery.marker").exists()


@pytest.mark.whole_matrix
def test_promise_4_link_that_is_cut_leaves_no_writer(stale: Cluster) -> None:
    """No end hears of the other's; each ends by itself."""
    primary, target = stale.node(0), stale.node(1)
    with settings(stale, SLOW):
        call = Call(primary, target, "cut")
        call.says("MB compared (")
        assert len(agents(target)) > 1
        stale.host(0).cut(stale.host(1))
        call.ends(60)
        wait_for_no_agent(target, within_s=60)
        stale.host(0).mend(stale.host(1))
    assert left_over(target) == ["data.pgpool_recovery"]


def test_promise_4_next_delta_goes_on_from_what_is_there(stale: Cluster) -> None:
    before = len(stale.pgpool.log_text())
    stale.recover(1)
    assert_recovered(stale, 1)
    log = stale.pgpool.log_text()[before:]
    assert methods(log) == ["delta"], log
    assert "not incremental: the data of node 1 was left half changed" in log
    assert_equal(stale, 1)
    wait_for_no_agent(stale.node(1), within_s=10)
