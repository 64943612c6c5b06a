"""Whatever method brings a node back, it equals the primary in every page.

The gap contains everything that gap.py can make happen, under a load of clients. On a former
primary the same also happens on its own timeline, after it has been cut off from the other node.
The cases of one major share a cluster, and each continues from the state that the last one left.
"""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.gap import EVERYTHING, Ground, clear, happen, prepare, settings_for
from tests.harness.gap_piece import TABLESPACES
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.proof import assert_equal
from tests.harness.site import on_hosts, settings
from tests.harness.until import until
from tests.harness.wal import remove_wal_for
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql


@dataclass(frozen=True)
class Case:
    """How a node leaves, whether the WAL that it needs is removed, and what brings it back.

    `leaves` is "stopped", "killed", "astray" (it keeps running but has lost its primary) or
    "diverged" (it is the primary, and the other node is promoted). `only`: the policy allows no
    other method. `then`: what follows the method, which finds that it cannot do it.
    """

    leaves: str
    method: str
    wal_is_gone: bool = False
    only: bool = False
    then: str = ""

    def __str__(self) -> str:
        gone = "-wal-gone" if self.wal_is_gone else ""
        return f"{self.leaves}{gone}-{self.method}"


# A method that not every major supports runs on those that do. Each of the others runs on one or
# two majors only, because of the time it takes.
NO_COPY = (Case("astray", "repoint"), Case("killed", "catch-up"))
COPY = (
    Case("stopped", "basebackup", only=True),
    Case("stopped", "delta", wal_is_gone=True),
)
CASES = {
    # Where a checkpoint follows CREATE DATABASE, replay would empty a database that was moved.
    (14, "plain"): (*COPY, Case("diverged", "rewind", then="delta")),
    (15, "plain"): (
        Case("astray", "repoint"),
        Case("stopped", "catch-up"),
        Case("stopped", "basebackup", only=True),
        Case("diverged", "rewind"),
        Case("stopped", "delta", wal_is_gone=True),
    ),
    (16, "plain"): (*NO_COPY, *COPY, Case("diverged", "rewind")),
    (17, "debian"): (
        Case("killed", "catch-up"),
        Case("stopped", "incremental", wal_is_gone=True),
        Case("stopped", "basebackup", only=True),
        Case("diverged", "rewind", wal_is_gone=True),  # An incremental backup follows it.
    ),
    (18, "plain"): (
        Case("astray", "repoint"),
        Case("stopped", "incremental", wal_is_gone=True),
        Case("stopped", "basebackup", only=True),
        Case("diverged", "rewind"),
        Case("diverged", "rewind", wal_is_gone=True),
    ),
}
DELTA = (Case("killed", "delta", only=True), Case("diverged", "delta", wal_is_gone=True, only=True))
WHOLE_MATRIX = {
    (14, "plain"): NO_COPY,
    (15, "plain"): (Case("diverged", "delta", only=True),),
    (17, "debian"): DELTA,
    (18, "plain"): DELTA,
    (19, "plain"): (*CASES[18, "plain"], *DELTA),
}

# A tablespace of both, at one path, would contain the files of two servers.
ON_ITS_OWN = [piece for piece in EVERYTHING if piece is not TABLESPACES]


@pytest.fixture(scope="module")
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    major, layout = request.param
    summaries = {"summarize_wal": "on"} if major >= 17 else {}
    plan = ClusterPlan(
        postgresql_major=major,
        layout=layout,
        settings={"wal_log_hints": "on", **summaries, **settings_for(EVERYTHING)},
    )
    with on_hosts(workspace, product, plan) as made:
        yield made


@pytest.mark.parametrize(
    ("cluster", "case"),
    [
        pytest.param(kind, case, marks=marks(kind[0]), id=f"{kind[0]}-{kind[1]}-{case}")
        for matrix, marks in ((CASES, needs_postgresql), (WHOLE_MATRIX, in_whole_matrix))
        for kind, cases in matrix.items()
        for case in cases
    ],
    indirect=["cluster"],
)
def test_equal_after_everything(cluster: Cluster, case: Case) -> None:
    for server in cluster.servers:
        server.set(wal_keep_size="1GB")  # The gap has checkpoints.
    ground = leave(cluster, case)
    policy = f'[policy]\nmethods = ["{case.method}"]\n'
    with settings(cluster, policy) if case.only else nullcontext():
        said = come_back(cluster, ground, wal_is_gone=case.wal_is_gone)
    planned = [case.method, *filter(None, [case.then])]
    assert re.findall(r"node \d: plan: ([\w-]+):", said) == planned, said


def leave(cluster: Cluster, case: Case) -> Ground:
    """Make a node leave; return the ground of the gap, cleared of what the last gap left."""
    primary = cluster.primary
    node = cluster.standby
    place = f"tablespaces-{len(cluster.pgpool.log_text())}"
    ground = Ground(primary, [node], place)
    clear(ground)
    prepare(ground, EVERYTHING)
    if case.leaves == "diverged":
        diverge(cluster, ground, node)
        return replace(ground, primary=node, others=[primary])
    if case.leaves == "astray":
        lead_astray(cluster, node)
    else:
        node.stop() if case.leaves == "stopped" else node.kill()
    return ground


def lead_astray(cluster: Cluster, node: Server) -> None:
    """Point a standby at a host without a primary, as after a failover that left it behind."""
    node.execute("ALTER SYSTEM SET primary_conninfo = 'host=192.0.2.1 user=nobody'")
    node.reload()
    query = "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    until(lambda: not node.sql(query), within_s=20, what="the stream to end")
    cluster.pgpool.detach_node(node.node_id)


def diverge(cluster: Cluster, ground: Ground, new: Server) -> None:
    """Make the primary diverge, unseen by the node that is then promoted."""
    old_host, new_host = cluster.host(ground.primary.node_id), cluster.host(new.node_id)
    old_host.cut(new_host)
    happen(ground, ON_ITS_OWN)
    assert cluster.fail_over() is new
    old_host.mend(new_host)


def come_back(cluster: Cluster, ground: Ground, *, wal_is_gone: bool) -> str:
    """Make everything happen, recover the node, prove it equal; return what the recovery said."""
    [node] = ground.others
    log_began = len(cluster.pgpool.log_text())
    with cluster.load(name=f"load_{log_began}", through_pgpool=False) as load:
        happen(ground, EVERYTHING)
        if wal_is_gone:
            remove_wal_for(ground.primary, node)
        cluster.recover(node.node_id)
        load.wait_for_commits(50)
    assert load.stop().failures == ()
    said = cluster.pgpool.log_text()[log_began:]
    assert_equal(cluster, node.node_id)
    assert load.lost_numbers(node) == []
    return "\n".join(re.findall(r"NOTICE:  (node \d: .*)", said))
