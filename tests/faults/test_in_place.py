"""A data directory is changed in place, and everything that can interrupt that does.

Promise 4: a half changed directory cannot be started by accident, and a second recovery completes
it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.test_ladder import lose_wal, methods
from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import (
    FULL_COPY,
    assert_recovered,
    left_over,
    on_hosts,
    settings,
    wait_for_no_agent,
)
from tests.harness.until import until
from tests.harness.wal import summarize
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

LOST = "CREATE TABLE IF NOT EXISTS lost (g int); INSERT INTO lost SELECT generate_series(1, 99)"
LOG = "log/postgresql.log"
SLOW = '[policy]\nmax_rate = "2M"\n'


@pytest.fixture(scope="module", params=[pytest.param(17, marks=needs_postgresql(17))])
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    plan = ClusterPlan(
        postgresql_major=request.param,
        settings={"summarize_wal": "on"},
        initdb_options=("--data-checksums",),
    )
    with on_hosts(workspace, product, plan) as made:
        made.primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 60000) g"
        )
        yield made


def recover(cluster: Cluster, node_id: int) -> list[str]:
    """Recover a node through Pgpool-II, and return the methods that were tried."""
    before = len(cluster.pgpool.log_text())
    cluster.recover(node_id)
    assert_recovered(cluster, node_id)
    return methods(cluster.pgpool.log_text()[before:])


@pytest.fixture
def stale(cluster: Cluster) -> Cluster:
    """Return a cluster whose node 1 is down and too old for a catch-up.

    The primary has removed the WAL that it needs, and a third of the big table has changed.
    """
    primary = cluster.primary
    node = cluster.standby
    if not node.is_running:
        cluster.recover(node.node_id)
    summarize(primary, node)
    node.stop()
    cluster.pgpool.wait_for_node(node.node_id, "down")
    primary.execute("UPDATE filler SET t = repeat(md5(random()::text), 16) WHERE g % 3 = 0")
    lose_wal(primary, node)
    return cluster


def target_of(cluster: Cluster) -> tuple[Server, Server]:
    primary = cluster.primary
    return primary, cluster.standby


def kill_agent(target: Server) -> None:
    """End the agent as a crash of its host would."""
    agents = [p.pid for p in target.machine.processes() if p.argv[-1:] == ("agent",)]
    target.machine.run(["kill", "-KILL", *map(str, agents)], user="root")


def test_incremental_that_is_killed_twice_is_completed_by_the_third(stale: Cluster) -> None:
    primary, target = target_of(stale)
    for server in (primary, target):
        log = f"mkdir -p log && seq -f '{server.name} %.0f' 90000 > {LOG} && chmod 400 {LOG}"
        server.machine.run(["sh", "-c", log], cwd=server.data_directory)
    with settings(stale, SLOW):
        for number in (1, 2):
            call = Call(primary, target, f"killed_{number}")
            call.says("write the changed blocks")
            until(lambda: _streams_backup(primary), within_s=20, what="the backup to be sent")
            kill_agent(target)
            said = call.ends(20)
            assert "The target is incomplete." in said, said
            assert not target.machine.path(target.data_directory).exists()
            assert left_over(target) == ["data.pgpool_recovery"]
            primary.execute(f"UPDATE filler SET t = 'between {number}' WHERE g % 7 = {number}")
            primary.execute(f"CREATE TABLE between_{number} AS SELECT generate_series(1, 1000) g")
    assert recover(stale, target.node_id) == ["incremental"]
    own = target.machine.path(target.data_directory / LOG)
    assert own.read_text().startswith(f"{target.name} 1\n")
    assert own.stat().st_mode & 0o777 == 0o400


def _streams_backup(primary: Server) -> bool:
    query = "SELECT 1 FROM pg_stat_progress_basebackup WHERE phase LIKE 'streaming%'"
    return bool(primary.sql(query))


ENDS: dict[str, Callable[[Server, Call], object]] = {
    "cancel": lambda primary, call: primary.execute(
        f"SELECT pg_cancel_backend({call.backend_pid})"
    ),
    "terminate": lambda primary, call: primary.execute(
        f"SELECT pg_terminate_backend({call.backend_pid})"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_incremental_that_is_ended(stale: Cluster, end: str) -> None:
    primary, target = target_of(stale)
    with settings(stale, SLOW):
        call = Call(primary, target, end)
        call.says("write the changed blocks")
        until(lambda: _streams_backup(primary), within_s=20, what="the backup to be sent")
        ENDS[end](primary, call)
        call.ends(10)
    wait_for_no_agent(target, within_s=5)
    assert not target.machine.path(target.data_directory).exists()
    # A terminated backend does not wait for its stage, which drops the slot last.
    until(lambda: not primary.slots(), within_s=20, what="the slot to be dropped")
    assert recover(stale, target.node_id) == ["incremental"]


def test_half_changed_directory_may_be_replaced_as_well(stale: Cluster) -> None:
    """If summaries are gone meanwhile, only a full copy is left; the node's own files survive."""
    primary, target = target_of(stale)
    target.start()
    target.set(work_mem="11MB")
    target.stop()
    with settings(stale, SLOW):
        call = Call(primary, target, "replaced")
        call.says("write the changed blocks")
        until(lambda: _streams_backup(primary), within_s=20, what="the backup to be sent")
        kill_agent(target)
        call.ends(20)
    with settings(stale, FULL_COPY):
        assert recover(stale, target.node_id) == ["basebackup"]
    assert target.sql("SHOW work_mem") == [("11MB",)]


def test_two_names_of_one_file_leave_only_a_full_copy(stale: Cluster) -> None:
    """What is written under the one name would be changed under the other, too."""
    primary, target = target_of(stale)
    [(path,)] = primary.sql("SELECT pg_relation_filepath('filler')")
    file = target.machine.path(target.data_directory) / path
    file.with_name("4000000000").hardlink_to(file)
    before = len(stale.pgpool.log_text())
    assert recover(stale, target.node_id) == ["incremental", "delta", "basebackup"]
    said = stale.pgpool.log_text()[before:]
    assert f"{file.name} and " in said or "4000000000 and " in said
    assert "are the same file" in said
    assert file.stat().st_nlink == 1


def diverge(cluster: Cluster, on_its_own: str = LOST) -> tuple[Server, Server]:
    """Fail over while the old primary is ahead; return the new primary and the old one."""
    old = cluster.primary
    other = cluster.node(1 - old.node_id)
    cluster.host(other.node_id).cut(cluster.host(old.node_id))
    old.execute(on_its_own)
    new = cluster.fail_over()
    cluster.host(other.node_id).mend(cluster.host(old.node_id))
    new.execute("UPDATE filler SET t = repeat(md5(random()::text), 16) WHERE g % 3 = 1")
    return new, old


def all_up(cluster: Cluster) -> None:
    primary, target = target_of(cluster)
    if not target.is_running:
        cluster.recover(target.node_id)
    query = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
    until(lambda: primary.sql(query), within_s=20, what="both nodes to be up")


def test_rewind_that_is_killed_is_followed_by_a_delta(cluster: Cluster) -> None:
    all_up(cluster)
    primary, target = diverge(cluster)
    host = cluster.host(target.node_id)
    host.shape(8)
    try:
        call = Call(primary, target, "rewinding")
        call.says("need to copy", within_s=60)
        kill_agent(target)
        said = call.ends(20)
    finally:
        host.shape(None)
    assert "The target is incomplete." in said
    assert not target.machine.path(target.data_directory).exists()
    before = len(cluster.pgpool.log_text())
    cluster.recover(target.node_id)
    assert_recovered(cluster, target.node_id)
    log = cluster.pgpool.log_text()[before:]
    assert methods(log) == ["delta"]
    assert f"the data of node {target.node_id} was left half changed" in log


def test_rewind_that_fails_before_the_first_change_puts_the_directory_back(
    cluster: Cluster,
) -> None:
    """The same run then goes on with the next method."""
    all_up(cluster)
    _, target = diverge(cluster)
    wal = target.data_directory / "pg_wal"
    find = ["find", str(wal), "-maxdepth", "1", "-name", "0000*", "-not", "-newer"]
    newest = target.machine.run(["sh", "-c", f"ls -t {wal} | grep -E '^[0-9A-F]{{24}}$' | head -1"])
    keep = str(wal / newest.stdout.strip())
    target.machine.run([*find, keep, "-not", "-path", keep, "-delete"])
    before = len(cluster.pgpool.log_text())
    cluster.recover(target.node_id)
    assert_recovered(cluster, target.node_id)
    log = cluster.pgpool.log_text()[before:]
    assert methods(log)[-1] in ("delta", "incremental"), log


def test_pages_that_a_rewind_brings_are_verified(cluster: Cluster) -> None:
    """pg_rewind reads the primary's files without verifying checksums.

    A page that was written since the last checkpoint before the fork comes from the WAL anyway.
    """
    all_up(cluster)
    cluster.primary.execute(
        "CREATE TABLE read WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 1000) g; "
        "CHECKPOINT"
    )
    new, old = diverge(cluster, on_its_own="UPDATE read SET g = g")
    verify = '[policy]\nverify = "pages"\nfall_down = false\n'
    before = len(cluster.pgpool.log_text())
    with settings(cluster, verify), damaged(new, "read"):
        assert "ERROR" in cluster.pgpool.recovery_node(old.node_id).output
    log = cluster.pgpool.log_text()[before:]
    assert methods(log) == ["rewind"]
    assert "came with a wrong checksum" in log
    assert "The target is incomplete." in log
    cluster.recover(old.node_id)
    assert_recovered(cluster, old.node_id)


@contextmanager
def damaged(server: Server, table: str) -> Iterator[None]:
    """Put a wrong byte into the first page of a table's file, which the server has in memory."""
    server.execute("CHECKPOINT")  # It then does not write the page again.
    ((path,),) = server.sql(f"SELECT pg_relation_filepath('{table}')")
    file = server.machine.path(server.data_directory / path)
    right = file.read_bytes()[:8192]
    with file.open("r+b") as opened:
        opened.write(right[:4000] + bytes([right[4000] ^ 1]) + right[4001:])
    try:
        yield
    finally:
        with file.open("r+b") as opened:
            opened.write(right)


def test_running_standby_that_does_not_stream_is_stopped_when_the_policy_allows(
    cluster: Cluster,
) -> None:
    all_up(cluster)
    primary, target = target_of(cluster)
    summarize(primary, target)
    target.stop()
    cluster.pgpool.wait_for_node(target.node_id, "down")
    primary.execute("UPDATE filler SET t = 'stopped' WHERE g % 3 = 2")
    lose_wal(primary, target)
    target.start()
    call = Call(primary, target, "refused")
    assert "is running" in call.ends(20)
    target.sql("SELECT 1")
    with settings(cluster, '[policy]\nstop_running = "standby"\n'):
        call = Call(primary, target, "allowed")
        said = call.ends(60)
    assert "stop the server of the target, as the policy allows" in said
    assert "plan: incremental" in said
    assert not target.is_running
    all_up(cluster)


def test_server_that_is_not_to_be_recovered_is_stopped_by_no_policy(cluster: Cluster) -> None:
    """No policy stops the primary itself when it is wrongly named as its own target."""
    all_up(cluster)
    primary = cluster.primary
    with settings(cluster, '[policy]\nstop_running = "always"\n'):
        said = Call(primary, primary, "itself").ends(20)
    assert "stop the server of the target" not in said
    assert "is the primary: both have the same data directory" in said
    primary.sql("SELECT 1")


def test_refusal_that_only_the_step_meets_is_followed_by_the_next_method(stale: Cluster) -> None:
    """Everything fits, except that only one of the two servers has data checksums."""
    _, target = target_of(stale)
    programs = target.installation
    target.machine.run([programs.program("pg_checksums"), "--disable", "-D", target.data_directory])
    before = len(stale.pgpool.log_text())
    assert recover(stale, target.node_id) == ["incremental", "delta"]
    assert "has data checksums" in stale.pgpool.log_text()[before:]
