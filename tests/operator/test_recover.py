"""The commands on the host of Pgpool-II, with a real Pgpool-II and real recoveries."""

import json
import re
import signal
from collections.abc import Iterator

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, assert_recovered, settings, slot_of
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import SLOW_COPY, Site, site_on_hosts


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(standbys=2)) as site:
        yield site


def test_status(site: Site) -> None:
    shown = site.run("status")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[1].split()[:4] == ["0", "10.77.0.11:5432", "up", "primary"]
    status = site.read("status")["status"]
    assert status["primary"] == 0
    states = [node["replication_state"] for node in status["nodes"]]
    assert states == [None, "streaming", "streaming"]
    assert [node["slot_name"] for node in status["nodes"]] == [None, "node_1", "node_2"]
    assert [node["problems"] for node in status["nodes"]] == [[], [], []]


def test_stopped_node(site: Site) -> None:
    """A catch-up destroys nothing, so no question is asked."""
    site.take_down(1)
    assert site.node_status(1)["server"] == "down"
    done = site.run("recover", 1)
    assert done.returncode == 0, done.output
    assert done.stdout.count("plan: catch-up") == 1
    assert "node 1 is back: up in Pgpool-II and streaming (catch-up, " in done.stdout
    assert "starting recovering" not in done.stdout, "Pgpool-II's words are not needed"
    assert_recovered(site.cluster, 1)


def test_recovery_that_replaces_data_has_to_be_confirmed(site: Site) -> None:
    """Without a terminal it is refused. The node stays down for the next test."""
    site.take_down(1)
    with settings(site.cluster, FULL_COPY):
        refused = site.run("recover", 1)
    assert refused.returncode == 4
    assert "plan: basebackup" in refused.stdout
    assert "ERROR:  the recovery of node 1 was not confirmed" in refused.stderr
    assert "--yes" in refused.stderr
    assert site.cluster.pgpool.node_info(1).status == "down"
    assert site.read("history")["runs"][0]["method"] == "catch-up", "nothing was begun"


def test_no_on_a_terminal(site: Site) -> None:
    site.take_down(1)
    with settings(site.cluster, FULL_COPY):
        said_no = site.on_a_terminal("recover", 1, typed="n\n")
    assert said_no.returncode == 10, said_no.output
    assert "Node 1 loses its data (" in said_no.stdout
    assert ") as soon as the new server is running. Continue? [y/N]" in said_no.stdout
    assert site.cluster.pgpool.node_info(1).status == "down"


def test_yes_on_a_terminal(site: Site) -> None:
    """The progress bar shows bytes, rate and time left."""
    site.take_down(1)
    with settings(site.cluster, FULL_COPY + 'max_rate = "4M"\ncompress = "none"\n'):
        done = site.on_a_terminal("recover", 1, typed="y\n")
    assert done.returncode == 0, done.output
    assert re.search(r"node 1: .* of .* \(\d+ %\), .*/s, .* left", done.stdout)
    assert "node 1 is back: up in Pgpool-II and streaming (basebackup, " in done.stdout
    assert_recovered(site.cluster, 1)
    site.take_down(1)


def test_events(site: Site) -> None:
    site.take_down(1)
    with settings(site.cluster, FULL_COPY):
        done = site.run("recover", 1, "--yes", "--events")
    assert done.returncode == 0, done.output
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["version"] for event in events} == {1}
    names = [event["event"] for event in events]
    assert (*names[:2], names[-1]) == ("remark", "plan", "ended"), (
        "a remark says that it is called by SQL"
    )
    assert {"asked", "recorded", "said"} <= set(names)
    assert events[-1]["recovery"]["is_streaming"]
    assert events[-1]["recovery"]["method"] == "basebackup"
    assert_recovered(site.cluster, 1)


def test_node_without_data(site: Site) -> None:
    site.lose(1)
    planned = site.read("plan", 1)["plan"]
    assert (planned["method"], planned["possible"]) == ("basebackup", True)
    done = site.run("recover", 1, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_status"]) == (0, 0)
    assert document["recoveries"][0]["moved_bytes"] > 0
    assert_recovered(site.cluster, 1)


def test_node_that_is_up(site: Site) -> None:
    refused = site.run("recover", 1, "--yes")
    assert refused.returncode == 4
    assert "detach 1" in refused.stderr


def test_unknown_node(site: Site) -> None:
    refused = site.run("recover", 7, "--yes")
    assert refused.returncode == 2
    assert "there is no node 7" in refused.stderr


def test_all_that_are_down(site: Site) -> None:
    none = site.run("recover", "--all-down")
    assert (none.returncode, none.stdout) == (0, "no node is down\n")
    site.take_down(1)
    site.take_down(2)
    done = site.run("recover", "--all-down", "--yes")
    assert done.returncode == 0, done.output
    for node_id in (1, 2):
        # Once at the end of its recovery, and once in the summary.
        assert done.stdout.count(f"node {node_id} is back") == 2
        assert_recovered(site.cluster, node_id)


def test_first_failure_of_several(site: Site) -> None:
    """The other nodes are recovered all the same."""
    site.take_down(1)
    site.take_down(2)
    with site.without_ssh_to(1):
        failed = site.run("recover", 1, 2, "--yes")
    assert failed.returncode == 5, failed.output
    first, second = failed.stdout.splitlines()[-2:]
    assert first.startswith("node 1: failed after")
    assert second.startswith("node 2 is back")
    assert_recovered(site.cluster, 2)


def test_plan_that_is_not_possible(site: Site) -> None:
    """No plan can be made for the node that is still down, as its sshd refuses the login."""
    site.take_down(1)
    with site.without_ssh_to(1):
        failed = site.run("plan", 1)
    assert failed.returncode == 5, failed.output
    assert "Permission denied" in failed.stderr
    assert site.run("plan", 1).returncode == 0


def test_cause_of_a_failure_in_the_middle(site: Site) -> None:
    """The plan is possible; why the recovery then fails is known only on the primary."""
    site.take_down(1)
    machine = site.cluster.host(1)
    directory = site.cluster.node(1).data_directory
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=site.log("cut.log"))
        until(lambda: site.is_copying, within_s=30, what="the copy to begin")
        machine.cut(site.cluster.host(0))
        status = client.wait(timeout_s=100)
        machine.mend(site.cluster.host(0))
    said = site.cluster.pgpool.machine.path(site.log("cut.log")).read_text()
    assert status == 5, said
    assert "ERROR:  node 1: could not copy" in said
    assert said.count("could not copy") == 1
    assert "TARGET:  untouched" in said
    [run] = site.read("history", "--last", 1)["runs"]
    assert (run["state"], run["exit_status"]) == ("failed", 5)
    one = site.run("history", run["id"])
    assert "step 3 of 5: copy" in one.stdout
    assert "ERROR:  node 1: could not copy" in one.stdout
    assert str(directory) in one.stdout


def test_check(site: Site) -> None:
    checked = site.run("check", "--json")
    document = json.loads(checked.stdout)
    found = {finding["severity"] for finding in document["findings"]}
    assert "warning" in found, "this cluster has no checksums and no wal_log_hints"
    assert found <= {"error", "warning", "info", "ok"}
    assert document["exit_status"] == (4 if "error" in found else 0)
    assert checked.returncode == document["exit_status"]
    assert site.run("check", "--strict").returncode == 4


@pytest.mark.parametrize("script", ["recovery_1st_stage", "pgpool_remote_start"])
def test_script_that_is_missing(site: Site, script: str) -> None:
    """The script is named; Pgpool-II would only say that a command failed."""
    site.take_down(1)
    primary = site.cluster.node(0)
    file = str(primary.data_directory / script)
    primary.machine.run(["mv", file, f"{file}.away"])
    try:
        refused = site.run("recover", 1, "--yes")
    finally:
        primary.machine.run(["mv", f"{file}.away", file])
    assert refused.returncode == 4, refused.output
    assert f'node 1: the primary (node 0) has no script "{script}"' in refused.stderr
    assert "TARGET:" not in refused.stderr, "nothing was begun"


def test_run_that_is_not_on_record(site: Site) -> None:
    none = site.run("history", 12345)
    assert none.returncode == 2
    assert "there is no recovery 12345 on record" in none.stderr


def test_nothing_to_watch_or_to_cancel(site: Site) -> None:
    watched = site.run("watch", 1)
    assert (watched.returncode, watched.stdout) == (0, "no recovery of node 1 is running\n")
    cancelled = site.run("cancel", 1)
    assert cancelled.returncode == 4
    assert "no recovery of node 1 is running" in cancelled.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_client_that_leaves(site: Site, number: signal.Signals) -> None:
    """The recovery goes on: a second one is refused, watch finds it, and cancel ends it."""
    site.take_down(1)
    left, watched = site.log("left.log"), site.log("watched.log")
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=left)
        site.waits_for(left, "step 3 of 5: copy")
        client.signal(number)
        status = client.wait(timeout_s=10)
        if number is not signal.SIGKILL:
            assert status == 128 + number
            site.waits_for(left, "The recovery of node 1 continues in a separate process")
            site.waits_for(left, "pgpool-recovery watch 1")

        busy = site.run("recover", 1, "--yes")
        assert busy.returncode == 6, busy.output
        until(lambda: site.is_copying, within_s=30, what="the copy to begin")
        assert site.node_status(1)["recovery"]["step"] == 3

        watcher = site.spawn("watch", 1, log=watched)
        site.waits_for(watched, "step 3 of 5: copy")
        primary = site.cluster.node(0)
        before = len(primary.log_text())
        cancelled = site.run("cancel", 1)
        assert cancelled.returncode == 0, cancelled.output
        assert "the recovery of node 1 has ended (cancelled); target untouched" in cancelled.stdout
        # The record has the end of a recovery before the backend writes its error.
        by_whom = 'It was cancelled with "pgpool-recovery cancel" by role '
        until(lambda: by_whom in primary.log_text()[before:], within_s=20, what=by_whom)
        assert "Traceback" not in primary.log_text()
        assert watcher.wait(timeout_s=20) == 10
        site.waits_for(watched, "ERROR:  ")
    until(lambda: not site.is_copying, within_s=20, what="the copy to end")


def test_runner_that_was_killed_is_found_by_the_next_command(site: Site) -> None:
    """It reports where the run stopped, what is on the target, and what to do, without guessing."""
    site.take_down(1)
    machine, log = site.cluster.node(0).machine, site.log("killed.log")
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=log)
        until(lambda: site.is_copying, within_s=30, what="the copy to begin")
        runners = [str(p.pid) for p in machine.processes() if "recovery_1st_stage" in p.argv]
        machine.run(["kill", "-KILL", *runners], user="root")
        assert client.wait(timeout_s=30) == 8
        site.waits_for(log, "TARGET:  in a state that could not be learnt")
    where = "was interrupted in step 3 of 5: copy about"
    for words in (["status"], ["check"], ["plan", 1]):
        assert where in site.run(*words).stdout, words
    status = site.run("status").stdout
    assert f"on the target: There is server data in {site.cluster.node(1).data_directory}" in status
    assert 'then run "pgpool-recovery recover 1"' in status
    number = site.node_status(1)["recovery"]["id"]
    told = site.run("history", number).output
    assert "in step 3 of 5: copy about" in told
    assert '"pgpool-recovery plan 1" shows what is on the target' in told
    again = site.run("recover", 1, "--yes")
    assert again.returncode == 0, again.output
    assert f"recovery {number} {where}" in again.output
    assert "was interrupted" not in site.run("status").stdout


LOCK = """
BEGIN;
LOCK TABLE pgpool_recovery_event;
SELECT pg_sleep(120);
"""
WAITING = """
SELECT 1 FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND query LIKE '%select number, at, kind%'
"""
LET_GO = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'"


def test_client_that_leaves_while_it_asks_the_primary(site: Site) -> None:
    """It is interrupted in the middle of a query, and ends in an orderly way."""
    site.take_down(1)
    primary, left = site.cluster.node(0), site.log("left.log")
    locks = primary.machine.home / "lock.sql"
    primary.machine.write_file(locks, LOCK)
    psql = [primary.installation.program("psql"), "-h", str(primary.machine.socket_directory)]
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=left)
        site.waits_for(left, "step 3 of 5: copy")
        log = primary.machine.home / "lock.log"
        argv = [*psql, "-d", "postgres", "-f", str(locks)]
        holder = primary.machine.spawn(argv, log=log, env={"PGAPPNAME": "holder"})
        try:
            until(lambda: bool(primary.sql(WAITING)), within_s=30, what="the client to wait")
            client.signal(signal.SIGINT)
            status = client.wait(timeout_s=10)
        finally:
            primary.execute(LET_GO)
            holder.wait(timeout_s=20)
        said = site.cluster.pgpool.machine.path(left).read_text()
        assert status == 128 + signal.SIGINT, said
        assert said.rstrip().endswith("pgpool-recovery cancel 1")
        assert site.run("cancel", 1).returncode == 0


def test_two_at_once(site: Site) -> None:
    """A second node is recovered during a copy to the first, as both are called by SQL."""
    site.take_down(1)
    site.take_down(2)
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=site.log("first.log"))
        until(lambda: site.is_copying, within_s=30, what="the copy to begin")
    done = site.run("recover", 2, "--yes")
    assert done.returncode == 0, done.output
    assert site.is_copying
    assert site.run("cancel", 1).returncode == 0
    assert client.wait(timeout_s=20) == 10
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert slot_of(1) in site.cluster.slots(0)
    assert_recovered(site.cluster, 1)


def test_detach_and_attach(site: Site) -> None:
    detached = site.run("detach", 1)
    assert (detached.returncode, detached.stdout) == (0, "node 1 is down, standby\n")
    assert "attach it" in site.run("status").stdout
    attached = site.read("attach", 1)["node"]
    assert attached["status"] in ("up", "waiting")


def test_attach_of_a_node_without_server(site: Site) -> None:
    site.take_down(2)
    refused = site.run("attach", 2)
    assert refused.returncode == 4
    assert "the server of node 2 could not be queried" in refused.stderr
    assert "--force" in refused.stderr
    assert site.run("recover", 2, "--yes").returncode == 0


def test_detach_of_the_primary_is_asked(site: Site) -> None:
    refused = site.run("detach", 0)
    assert refused.returncode == 4
    assert site.cluster.pgpool.node_info(0).is_attached


def test_promotion_that_is_no_switchover(site: Site) -> None:
    refused = site.run("promote", 1, "--yes")
    assert refused.returncode == 4
    assert "the server of node 1 is a standby" in refused.stderr


def test_pgpool_that_cannot_be_reached(site: Site) -> None:
    failed = site.run("attach", 1, "--host", "10.77.0.11", "--port", 9)
    assert failed.returncode == 5
    assert "could not connect to Pgpool-II at 10.77.0.11 port 9" in failed.stderr
    document = json.loads(site.run("status", "--port", 9, "--json").stdout)
    assert document["error"]["exit_status"] == 5


def test_without_pgpool(site: Site) -> None:
    site.write_nodes_into_settings()
    site.take_down(1)
    done = site.run("recover", 1, "--without-pgpool")
    assert done.returncode == 0, done.output
    assert "node 1 is back: streaming" in done.stdout
    assert "step 1 of" in done.stdout
    shown = site.run("status", "--without-pgpool")
    assert "streaming" in shown.stdout, shown.output
    assert site.run("attach", 1).returncode == 0
    assert_recovered(site.cluster, 1)


def test_lost_terminal_without_pgpool(site: Site) -> None:
    """The process that calls the functions does not end with the terminal."""
    site.write_nodes_into_settings()
    site.take_down(1)
    left = site.log("left.log")
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", "--without-pgpool", log=left)
        site.waits_for(left, "step 3 of 5: copy")
        client.signal(signal.SIGHUP)
        assert client.wait(timeout_s=10) == 128 + signal.SIGHUP
        site.waits_for(left, "pgpool-recovery watch 1 --without-pgpool")
        until(lambda: site.is_copying, within_s=30, what="the copy to go on")
        assert site.run("cancel", 1, "--without-pgpool").returncode == 0
    until(lambda: not site.is_copying, within_s=20, what="the copy to end")
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output


def test_pgpool_that_does_not_answer_while_the_settings_name_the_nodes(site: Site) -> None:
    site.write_nodes_into_settings()
    shown = site.run("status", "--port", 9)
    assert shown.returncode == 0, shown.output
    assert "the nodes are taken from the settings" in shown.stderr
    assert "streaming" in shown.stdout


def test_switchover(site: Site) -> None:
    """This is the last test of the site, since node 0 is down afterwards."""
    done = site.run("promote", 1, "--switchover", "--yes")
    assert done.returncode == 0, done.output
    assert "primary" in done.stdout
    assert site.cluster.node(1).is_in_recovery is False
