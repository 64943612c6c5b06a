"""A recovery is on record while it runs and afterwards, however it ends."""

from collections.abc import Iterator

import pytest

from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, on_hosts, settings, wait_for_no_agent
from tests.harness.until import until
from tests.harness.workspace import Workspace

NODE_1 = "FROM pgpool_recovery_history WHERE node_id = 1 LIMIT 1"
MB = 2**20
SLOW = f'{FULL_COPY}max_rate = "5M"\ncompress = "none"\n'


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(standbys=2)) as made:
        made.primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 60000) g"
        )
        made.primary.execute("CREATE EXTENSION IF NOT EXISTS pgpool_recovery")
        yield made


@pytest.fixture
def down(cluster: Cluster) -> Cluster:
    """The cluster with node 1 down."""
    node = cluster.node(1)
    if node.is_running:
        node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    return cluster


def progress(cluster: Cluster, columns: str) -> list[tuple[str, ...]]:
    return cluster.primary.sql(f"SELECT {columns} FROM pgpool_recovery_progress")


def test_recovery_is_seen_while_it_runs_and_afterwards(down: Cluster) -> None:
    with settings(down, SLOW):
        call = Call(down.primary, down.node(1), "seen")
        until(lambda: progress(down, "done_bytes > 0") == [("t",)], within_s=20, what="progress")
        seen = progress(down, "node_id, state, method, steps, sentence, total_bytes > 0, percent")
        [(node_id, state, method, steps, sentence, has_total, percent)] = seen
        assert (node_id, state, method, steps, has_total) == (
            "1",
            "running",
            "basebackup",
            "5",
            "t",
        )
        assert sentence.startswith("copy about")
        assert 0 <= int(percent) <= 100
        assert progress(down, "backend_pid") == [(str(call.backend_pid),)]
        seen_on_standby = "SELECT state, done_bytes > 0 FROM pgpool_recovery_progress"
        until(
            lambda: down.node(2).sql(seen_on_standby) == [("running", "t")],
            within_s=5,
            what="a standby to show it as the primary does",
        )
        call.ends(60)
    assert progress(down, "state") == [("copied",)]
    down.recover(1)  # The first stage finds that only WAL is missing; this is a new run.
    assert down.primary.sql(f"SELECT state, exit_status {NODE_1}") == [("recovered", "0")]
    assert progress(down, "state") == []
    superseded = "SELECT message FROM pgpool_recovery_history WHERE method = 'basebackup'"
    assert down.primary.sql(superseded) == [("the remote start never came",)]


def test_second_full_copy_is_judged_by_the_first(down: Cluster) -> None:
    target = down.node(1)
    plan = (
        f"pgpool_recovery_plan('{target.machine.address}', '{target.data_directory}', "
        f"'{down.primary.port}', 1, '{target.port}', '{down.primary.machine.address}')"
    )

    def takes() -> str:
        """Return what the plan says about its duration."""
        query = f"SELECT jsonb_array_elements_text({plan}->'sentences')"
        (told,) = (one for (one,) in down.primary.sql(query) if " takes " in one)
        return told

    down.primary.execute("DELETE FROM pgpool_recovery_run")
    with settings(down, SLOW):
        assert takes().startswith("it takes at least ")
        down.recover(1)
    query = "SELECT work_bytes, work_s, ended_at >= work_ended_at FROM pgpool_recovery_run"
    [(size, took, is_in_order)] = down.primary.sql(query)
    assert (int(size) > 30 * MB, is_in_order) == (True, "t")
    assert MB < int(size) / float(took) < 6 * MB, "max_rate is 5M"

    target.stop()
    down.pgpool.wait_for_node(1, "down")
    with settings(down, FULL_COPY):
        assert "(as the last full copy of node 1: " in takes()
        [(seconds,)] = down.primary.sql(f"SELECT {plan}->>'seconds'")
        assert float(took) / 2 < float(seconds)
    with settings(down, SLOW):
        call = Call(down.primary, target, "judged")
        until(lambda: progress(down, "done_bytes > 0") == [("t",)], within_s=20, what="progress")
        [(left,)] = progress(down, "run_seconds_left")
        assert 0 < int(left) < 2 * float(seconds)
        until(
            lambda: progress(down, f"run_seconds_left < {left}") == [("t",)],
            within_s=10,
            what="the time left to fall",
        )
        call.ends(60)
    down.recover(1)


def test_events_of_a_run_are_its_story(down: Cluster) -> None:
    down.recover(1)
    kinds = down.primary.sql(
        "SELECT kind FROM pgpool_recovery_event "
        "WHERE run_id = (SELECT max(id) FROM pgpool_recovery_run) ORDER BY number"
    )
    told = [kind for (kind,) in kinds if kind != "said"]
    assert told[0] == "plan_made"
    assert told[-1] == "finished"
    assert told.count("finished") == 3, "first stage, start in it, and remote start are one run"
    assert told.count("step_started") == told.count("step_finished") > 1


def test_failure_is_on_record_with_its_cause(down: Cluster) -> None:
    conf = down.node(1).data_directory / "conf.d" / "99-broken.conf"
    down.node(1).machine.write_file(conf, "shared_preload_libraries = 'no_such_library'\n")
    assert "ERROR" in down.pgpool.recovery_node(1).output
    down.node(1).machine.path(conf).unlink()
    query = f"SELECT state, exit_status, target_state, detail {NODE_1}"
    [(state, exit_status, target, detail)] = down.primary.sql(query)
    assert (state, exit_status, target) == ("failed", "8", "copied, but not started")
    assert 'could not access file "no_such_library"' in detail


def test_cancel_is_on_record(down: Cluster) -> None:
    with settings(down, SLOW):
        call = Call(down.primary, down.node(1), "cancelled")
        call.says("copy about")
        down.primary.execute(f"SELECT pg_cancel_backend({call.backend_pid})")
        call.ends(10)
    query = f"SELECT state, exit_status, target_state {NODE_1}"
    until(
        lambda: down.primary.sql(query) == [("cancelled", "10", "untouched")],
        within_s=5,
        what="the cancel to be on record",
    )


def test_runner_that_is_killed_is_seen_as_interrupted(down: Cluster) -> None:
    with settings(down, SLOW):
        call = Call(down.primary, down.node(1), "killed")
        call.says("copy about")
        machine = down.primary.machine
        runners = [p.pid for p in machine.processes() if "recovery_1st_stage" in p.argv]
        machine.run(["kill", "-KILL", *map(str, runners)], user="root")
        call.ends(20)
    until(
        lambda: progress(down, "state") == [("interrupted",)], within_s=5, what="it to be noticed"
    )
    wait_for_no_agent(down.node(1))  # It still holds the target, which the next recovery needs.
    down.recover(1)
    ended = "SELECT message FROM pgpool_recovery_history WHERE state = 'failed' LIMIT 1"
    assert down.primary.sql(ended) == [("the runner ended without reporting a result",)]


def test_only_a_monitoring_role_may_read_it(cluster: Cluster) -> None:
    cluster.primary.execute(
        "CREATE ROLE watcher IN ROLE pg_monitor; CREATE ROLE nobody_in_particular"
    )
    read = "SELECT count(*) >= 0 FROM pgpool_recovery_progress"
    assert cluster.primary.sql(f"SET ROLE watcher; {read}")[-1] == ("t",)
    for name in ("progress", "history", "run", "event"):
        table = f"pgpool_recovery_{name}"
        query = f"SELECT has_table_privilege('nobody_in_particular', '{table}', 'SELECT')"
        assert cluster.primary.sql(query) == [("f",)]


def test_recovery_goes_on_without_a_record(down: Cluster) -> None:
    primary = down.primary
    primary.execute("DROP EXTENSION pgpool_recovery")
    try:
        before = len(down.pgpool.log_text())
        down.recover(1)
        log = down.pgpool.log_text()[before:]
        assert "the recovery is not recorded: database postgres has no extension" in log
    finally:
        primary.execute("CREATE EXTENSION pgpool_recovery")


def test_error_in_the_settings_is_on_record_where_they_say(down: Cluster) -> None:
    down.primary.execute("CREATE DATABASE other")  # A copy of template1, with the extension.
    with settings(down, '[history]\ndatabase = "other"\n[policy]\nmethods = []\n'):
        assert "ERROR" in down.pgpool.recovery_node(1).output
    query = f"SELECT state, exit_status, target_state, detail {NODE_1}"
    [(state, exit_status, target, detail)] = down.primary.sql(query, database="other")
    assert (state, exit_status, target) == ("failed", "3", "untouched")
    assert "policy.methods" in detail or "methods in policy" in detail


def test_record_survives_a_failover(down: Cluster) -> None:
    """The standbys have the record, so a new primary goes on with it.

    This test is last, because the cluster has another primary afterwards.
    """
    down.recover(1)
    query = "SELECT max(id), count(*) FROM pgpool_recovery_run"
    before = down.primary.sql(query)
    until(
        lambda: [down.node(n).sql(query) for n in (1, 2)] == [before] * 2,
        within_s=10,
        what="the record to arrive on the standbys",
    )
    new = down.fail_over()
    assert new.sql(query) == before
    down.recover(0)
    states = "SELECT node_id, state FROM pgpool_recovery_history LIMIT 2"
    assert new.sql(states) == [("0", "recovered"), ("1", "recovered")]
