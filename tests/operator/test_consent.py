"""What was agreed to limits the run, even if things change between the plan and the first stage.

Here Pgpool-II runs the recovery itself, and it passes no arguments on to the stage.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.plan.agreement import AGREED, session_name
from pgpool_recovery.plan.harm import ANYTHING
from tests.cluster.test_ladder import lose_wal
from tests.harness.cluster import ClusterPlan
from tests.harness.command import Completed
from tests.harness.product import Product
from tests.harness.site import FIRST_STAGE, assert_recovered, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql
from tests.operator.site import Site, site_on_hosts

pytestmark = [needs_postgresql(17), pytest.mark.in_order]

CHANGED = "ERROR:  the plan of node 1 has changed"
HOLDERS = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE '% agreed %'"
WHOSE = "WHERE usename = 'mallory'"
WAITS = """\
#!/bin/sh
: pgpool-recovery recovery_1st_stage, in front of which this waits for a minute at most.
for _ in $(seq 600); do [ -e {go} ] && break; sleep 0.1; done
exec {real} "$@"
"""
FAILS = """\
#!/bin/sh
: pgpool-recovery recovery_1st_stage, with a catch-up that fails.
exec {python} -c '
import sys
from pgpool_recovery.cli.stage import run_stage
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.run.run_plan import Run
take = Run.carry_out
def carry_out(self, plan):
    if plan.method == "catch-up":
        raise Undone("it cannot be caught up", detail="The test says so.")
    return take(self, plan)
Run.carry_out = carry_out
sys.exit(run_stage("recovery_1st_stage", sys.argv[1:]))
' "$@"
"""


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    plan = ClusterPlan(postgresql_major=17, settings={"wal_keep_size": "0"})
    with site_on_hosts(workspace, product, plan) as site:
        yield site


@contextmanager
def first_stage(site: Site, script: str) -> Iterator[None]:
    """Put a script in the place of the first stage, which it can call."""
    primary = site.cluster.node(0)
    file = primary.data_directory / FIRST_STAGE
    real = primary.data_directory / "real_stage"
    python = site.product.command_on(primary.machine.system).with_name("python")
    go = primary.machine.home / "go"
    primary.machine.path(go).unlink(missing_ok=True)
    primary.machine.run(["mv", str(file), str(real)])
    try:
        primary.machine.write_file(file, script.format(go=go, real=real, python=python), mode=0o700)
        yield
    finally:
        primary.machine.run(["mv", str(real), str(file)])


def let_go(site: Site) -> None:
    machine = site.cluster.node(0).machine
    machine.write_file(machine.home / "go", "")


def old_data(site: Site) -> str:
    """Return what shows whether the data directory is still the same one, and unchanged."""
    node = site.cluster.node(1)
    sums = "cd {0} && stat -c %i . && md5sum PG_VERSION global/pg_control postgresql.auto.conf"
    return node.machine.run(["sh", "-c", sums.format(node.data_directory)]).stdout


def runs(site: Site) -> int:
    return len(site.read("history")["runs"])


def holders(site: Site) -> list[tuple[str, ...]]:
    return site.cluster.node(0).sql(HOLDERS)


def test_agreed_and_done(site: Site) -> None:
    """The session that holds the agreement exists while the stage runs, and is gone afterwards."""
    site.take_down(1)
    log = site.log("agreed.log")
    with first_stage(site, WAITS):
        client = site.spawn("recover", 1, log=log)
        until(lambda: bool(holders(site)), within_s=60, what="the agreement")
        [(name,)] = holders(site)
        assert re.fullmatch(r"pgpool-recovery agreed [0-9a-f]{8} wal kept", name)
        let_go(site)
        assert client.wait(timeout_s=120) == 0, site.cluster.pgpool.machine.path(log).read_text()
    said = site.cluster.pgpool.machine.path(log).read_text()
    assert "runner: agreed by postgres: only WAL is moved" in said
    until(lambda: not holders(site), within_s=20, what="the session of the agreement to be gone")
    assert_recovered(site.cluster, 1)


def changed_meanwhile(site: Site, *words: object, log: str) -> str:
    """Remove the WAL after the plan was shown; assert exit status 4, and return the output."""
    site.take_down(1)
    file = site.log(log)
    primary = site.cluster.node(0)
    with first_stage(site, WAITS):
        client = site.spawn("recover", 1, *words, log=file)
        until(lambda: bool(holders(site)), within_s=60, what="the agreement")
        lose_wal(primary, site.cluster.node(1))
        let_go(site)
        status = client.wait(timeout_s=120)
    said = site.cluster.pgpool.machine.path(file).read_text()
    assert status == 4, said
    return said


def test_promise_11_wal_that_is_gone_by_then(site: Site) -> None:
    """A change of its data was not agreed to, so nothing is done. The node stays down after it."""
    site.take_down(1)
    before = old_data(site)
    said = changed_meanwhile(site, log="changed.log")
    assert "plan: catch-up" in said
    assert CHANGED in said
    assert "Needed beyond that: delta: the blocks that differ are replaced" in said
    assert "TARGET:  untouched" in said
    assert old_data(site) == before
    until(lambda: not holders(site), within_s=20, what="the session of the agreement to be gone")


def test_more_than_at_most(site: Site) -> None:
    """The plan itself goes beyond --at-most, so nothing is begun; --yes does not change that."""
    count = runs(site)
    refused = site.run("recover", 1, "--at-most", "catch-up", "--yes")
    assert refused.returncode == 4, refused.output
    assert "ERROR:  the plan for node 1 does more than --at-most allows" in refused.stderr
    assert runs(site) == count


def recover_by_pool(site: Site, policy: str) -> Completed:
    with settings(site.cluster, f'[policy]\nunattended = "{policy}"\n'):
        return site.cluster.pgpool.recovery_node(1)


@contextmanager
def forged(site: Site) -> Iterator[None]:
    """Let a role that may not recover nodes hold a session that claims that all was agreed to."""
    primary, node = site.cluster.node(0), site.cluster.node(1)
    primary.execute("CREATE ROLE mallory LOGIN")
    target = Target(str(node.machine.address), str(node.data_directory), NodeId(1))
    psql = [
        primary.installation.program("psql"),
        "-d",
        primary.conninfo("mallory", dbname="postgres"),
    ]
    session = primary.machine.spawn(
        [*psql, "-c", "SELECT pg_sleep(120)"],
        log=primary.machine.home / "mallory.log",
        env={"PGAPPNAME": session_name(AGREED, target, ANYTHING)},
    )
    try:
        until(lambda: bool(holders(site)), within_s=20, what="the session")
        yield
    finally:
        primary.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity " + WHOSE)
        session.wait(timeout_s=20)
        primary.execute("DROP ROLE mallory")


def test_promise_11_pcp_recovery_node_keeps_to_the_settings(site: Site) -> None:
    """The session name of a role that may not recover nodes is not taken for an agreement."""
    before = old_data(site)
    with forged(site):
        refused = recover_by_pool(site, "replace-nothing")
    assert "Command Successful" not in refused.output
    run = site.read("history")["runs"][0]
    assert run["exit_status"] == 4
    assert run["message"] == "the recovery of node 1 needs more than may be done unattended"
    assert 'policy.unattended = "replace-nothing"' in run["detail"]
    assert old_data(site) == before


def test_person_is_not_limited_by_the_policy_for_unattended_recoveries(site: Site) -> None:
    """--at-most is the agreement to all methods up to the one named, so no question is asked."""
    with settings(site.cluster, '[policy]\nunattended = "nothing"\n'):
        done = site.run("recover", 1, "--at-most", "basebackup")
    assert done.returncode == 0, done.output
    assert "node 1 is back: up in Pgpool-II and streaming (delta" in done.stdout
    assert_recovered(site.cluster, 1)


def test_promise_11_method_that_fails_is_not_followed_by_a_worse_one(site: Site) -> None:
    site.take_down(1)
    before = old_data(site)
    with first_stage(site, FAILS):
        refused = site.run("recover", 1)
        assert refused.returncode == 4, refused.output
        assert CHANGED in refused.stderr
        assert "catch-up has failed: it cannot be caught up." in refused.stderr
        assert old_data(site) == before
        by_pool = recover_by_pool(site, "replace-nothing")
        assert "Command Successful" not in by_pool.output
        assert old_data(site) == before


def test_asked_again_on_a_terminal(site: Site) -> None:
    """The question is asked again, since the method fails and the first yes covers no other."""
    with first_stage(site, FAILS):
        done = site.on_a_terminal("recover", 1, typed="y\n")
    assert done.returncode == 0, done.output
    assert "the plan of node 1 has changed" in done.stdout
    question = (
        "The only copy of node 1's data is changed; if that fails, no server can run there until a "
        "recovery succeeds. "
        "Continue? [y/N]"
    )
    assert question in done.stdout, done.stdout
    assert_recovered(site.cluster, 1)


def test_settings_of_the_primary_are_wrong(site: Site) -> None:
    """The error names the file and the line, and no question is asked before it."""
    site.take_down(1)
    with settings(site.cluster, '[policy]\nkeep_od = "always"\n'):
        refused = site.run("recover", 1)
    assert refused.returncode == 3, refused.output
    assert "settings file /etc/pgpool-recovery.toml has 1 error" in refused.stderr
    assert "DETAIL:  line 2: unknown setting keep_od in policy (keep_old?)" in refused.stderr
    assert "confirmed" not in refused.output


def test_node_that_streams_is_only_attached(site: Site) -> None:
    """The plan that is shown is the one that is carried out, and not that for a lost node."""
    node = site.cluster.node(1)
    node.start()
    streaming = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
    until(lambda: bool(site.cluster.node(0).sql(streaming)), within_s=30, what="it to stream")
    done = site.run("recover", 1)
    assert done.returncode == 0, done.output
    assert "plan: attach" in done.stdout
    assert "plan: catch-up" not in done.stdout
    assert_recovered(site.cluster, 1)


def test_called_by_sql(site: Site) -> None:
    """Without Pgpool-II, the session that calls the functions has the agreement in its name."""
    site.take_down(1)
    site.write_nodes_into_settings()
    before = old_data(site)
    with first_stage(site, FAILS):
        refused = site.run("recover", 1, "--without-pgpool")
    assert refused.returncode == 4, refused.output
    assert CHANGED in refused.stderr
    assert old_data(site) == before
