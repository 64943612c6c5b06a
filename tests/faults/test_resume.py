"""A full copy that was interrupted is not begun anew: what it copied is compared, the rest sent.

There are 200 MB, part of them in a tablespace, and each copy is interrupted after the half.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered, left_over, on_hosts, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix

FILLER = "CREATE TABLE {0} {1} AS SELECT g, repeat('x', 1500) t FROM generate_series(1, 50000) g"
HALF_MB = 90
SLOW = '[policy]\nmethods = ["basebackup"]\nmax_rate = "30M"\ncompress = "none"\n'
SLOW_DELTA = '[policy]\nmethods = ["delta", "basebackup"]\nmax_rate = "20M"\n'
ANY_COPY = '[policy]\nmethods = ["delta", "basebackup"]\n'


@pytest.fixture(
    scope="module",
    params=[pytest.param(None, id="own"), pytest.param(16, marks=in_whole_matrix(16))],
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(postgresql_major=request.param)) as made:
        location = PurePath(made.primary.data_directory).with_name("space")
        made.primary.create_tablespace("space", Path(location), also_on=[made.node(1)])
        made.primary.execute(FILLER.format("filler", ""))
        made.primary.execute(FILLER.format("elsewhere", "TABLESPACE space"))
        yield made


@pytest.fixture
def down(cluster: Cluster) -> Cluster:
    """Return the cluster with node 1 down."""
    node = cluster.node(1)
    if node.is_running:
        node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    until(lambda: not any(cluster.slots(0).values()), within_s=20, what="the slots to be free")
    return cluster


def copied_mb(cluster: Cluster) -> int:
    """Return how much there is in the workspaces of node 1."""
    parent = shlex.quote(str(PurePath(cluster.node(1).data_directory).parent))
    find = f"find {parent} -path '*pgpool_recovery/new*' -type f -printf '%s\\n'"
    sizes = cluster.node(1).machine.run(["sh", "-c", find], check=False).stdout.split()
    return sum(map(int, sizes)) // 2**20


def interrupted_at_half(cluster: Cluster, name: str) -> str:
    """Kill the agent of node 1 in the middle of its copy; return what the call said."""
    call = Call(cluster.node(0), cluster.node(1), name)
    until(lambda: copied_mb(cluster) > HALF_MB, within_s=30, what="half of the copy")
    kill_agents(cluster)
    said = call.ends(20)
    assert copied_mb(cluster) > HALF_MB
    return said


def kill_agents(cluster: Cluster) -> None:
    machine = cluster.node(1).machine
    agents = [p.pid for p in machine.processes() if p.argv[-1:] == ("agent",)]
    machine.run(["kill", "-KILL", *map(str, agents)], user="root")


def sent_mb(cluster: Cluster) -> int:
    """Return what the last recovery has moved."""
    [(moved,)] = cluster.node(0).sql(
        "SELECT moved_bytes FROM pgpool_recovery_history ORDER BY id DESC LIMIT 1"
    )
    return int(moved) // 2**20


def plan_of(cluster: Cluster) -> str:
    [(plan,)] = cluster.node(0).sql("SELECT plan FROM pgpool_recovery_run ORDER BY id DESC LIMIT 1")
    return str(plan)


def test_second_run_sends_the_rest_and_the_old_data_stays(down: Cluster) -> None:
    """Also if it is killed itself: the third run goes on from both."""
    control = down.node(1).data_directory / "global" / "pg_control"
    before = down.node(1).machine.path(control).stat()
    with settings(down, SLOW, ANY_COPY):
        said = interrupted_at_half(down, "killed_copy")
    assert "the connection to node 1 was lost" in said
    after = down.node(1).machine.path(control).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    with settings(down, SLOW_DELTA, ANY_COPY):
        call = Call(down.node(0), down.node(1), "killed_delta")
        until(lambda: "step 3" in call.said, within_s=20, what="the comparison")
        until(lambda: copied_mb(down) > HALF_MB + 20, within_s=20, what="something to be sent")
        kill_agents(down)
        call.ends(20)
    down.recover(1)
    assert "what an interrupted copy lacks" in plan_of(down)
    assert sent_mb(down) < HALF_MB
    assert_recovered(down, 1)


def test_cancelled_copy_of_an_empty_node_stays_and_is_completed(down: Cluster) -> None:
    """Then even the configuration comes from the primary."""
    node = down.node(1)
    data = PurePath(node.data_directory)
    # Nothing on the node says any more which slot it had.
    down.node(0).execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    node.machine.run(["sh", "-c", f"rm -rf {data}/* {data.with_name('space')}/*"])
    with settings(down, SLOW, ANY_COPY):
        call = Call(down.node(0), node, "cancelled_copy")
        until(lambda: copied_mb(down) > HALF_MB, within_s=30, what="half of the copy")
        down.node(0).execute(f"SELECT pg_cancel_backend({call.backend_pid})")
        said = call.ends(20)
    kept = re.compile(r"what was copied, \d+ MB, stays in .* for the next attempt")
    lines = down.node(0).sql("SELECT line FROM pgpool_recovery_event ORDER BY run_id, number")
    assert any(kept.search(line) for (line,) in lines), (said, lines)
    assert not node.machine.path(
        PurePath(f"{node.data_directory}.pgpool_recovery/new/global/pg_control")
    ).exists()
    down.recover(1)
    assert sent_mb(down) < 2 * HALF_MB
    assert_recovered(down, 1)
    assert left_over(node) == []


def test_copy_whose_connection_is_lost_goes_on_in_the_same_run(down: Cluster) -> None:
    """Where the old data must stay, nothing but a copy beside it is possible, and it stays."""
    beside = f'{ANY_COPY}keep_old = "always"\nmax_rate = "30M"\ncompress = "none"\n'
    primary, node = down.node(0), down.node(1)
    with settings(down, beside, ANY_COPY):
        call = Call(primary, node, "lost_connection")
        until(lambda: copied_mb(down) > HALF_MB, within_s=30, what="half of the copy")
        primary.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_basebackup")
        said = call.ends(60)
        assert "basebackup failed; looking for another method" in said
        assert "plan: delta: what an interrupted copy lacks" in said
        assert "ERROR" not in said
        started = Call(primary, node, "started", is_start=True)
        assert "ERROR" not in started.ends(60)
    down.pgpool.attach_node(1)
    down.pgpool.wait_for_node(1, "up")
    assert_recovered(down, 1)
