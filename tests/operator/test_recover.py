"""The commands with a real Pgpool-II and real recoveries, from the host of Pgpool-II."""

import json
from collections.abc import Iterator

import pytest

from pgpool_recovery.domain.error import Unreachable
from tests.cluster.site import FULL_COPY, assert_recovered, settings, slot_of
from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts

SLOW_COPY = FULL_COPY + 'max_rate = "512k"\ncompress = "none"\n'


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(standbys=2)) as site:
        yield site


def is_on_record(site: Site) -> bool:
    """Say whether the extension keeps a record of recoveries."""
    query = "SELECT 1 WHERE to_regclass('pgpool_recovery_history') IS NOT NULL"
    return bool(site.cluster.node(0).sql(query))


def take_down(site: Site, node_id: int) -> None:
    site.cluster.node(node_id).stop()
    site.cluster.pgpool.wait_for_node(node_id, "down")


def lose(site: Site, node_id: int) -> None:
    """Lose its data, and with it the knowledge by which slot it streamed."""
    node = site.cluster.node(node_id)
    node.lose()
    until(lambda: not site.cluster.slots(0).get(node.slot), within_s=20, what="its slot to be free")
    site.cluster.node(0).drop_slot(node.slot)
    site.cluster.pgpool.wait_for_node(node_id, "down")


def test_status(site: Site) -> None:
    shown = site.run("status")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[1].split()[:4] == ["0", "10.77.0.11:5432", "up", "primary"]
    status = site.read("status")["status"]
    assert status["primary"] == 0
    states = [node["replication_state"] for node in status["nodes"]]
    assert states == [None, "streaming", "streaming"]
    assert [node["slot_name"] for node in status["nodes"]] == [None, "node_1", "node_2"]


def test_stopped_node(site: Site) -> None:
    take_down(site, 1)
    [node] = [node for node in site.read("status")["status"]["nodes"] if node["node_id"] == 1]
    assert (node["pool_status"], node["server"]) == ("down", "down")
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert "node 1 is back: up in Pgpool-II and streaming" in done.stdout
    assert_recovered(site.cluster, 1)


def test_nobody_can_be_asked_about_a_node_without_data(site: Site) -> None:
    """The node stays down for the next test."""
    lose(site, 1)
    if site.cluster.node(0).sql("SELECT 1 FROM pg_proc WHERE proname = 'pgpool_recovery_plan'"):
        pytest.skip("there is a plan, and it destroys nothing")
    refused = site.run("recover", 1)
    assert refused.returncode == 4
    assert "no function pgpool_recovery_plan" in refused.stdout
    assert "--yes" in refused.stderr
    assert site.cluster.pgpool.node_info(1).status == "down"


def test_events(site: Site) -> None:
    if site.cluster.pgpool.node_info(1).status != "down":
        take_down(site, 1)
    done = site.run("recover", 1, "--yes", "--events")
    assert done.returncode == 0, done.output
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["version"] for event in events} == {1}
    assert events[-1]["event"] == "ended"
    assert events[-1]["recovery"]["is_streaming"]
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
    take_down(site, 1)
    take_down(site, 2)
    done = site.run("recover", "--all-down", "--yes")
    assert done.returncode == 0, done.output
    for node_id in (1, 2):
        assert done.stdout.count(f"node {node_id} is back") == 2  # At its end, and in the summary.
        assert_recovered(site.cluster, node_id)


def test_cause_that_ssh_is_refused(site: Site) -> None:
    """With a record the cause is told, without one where it is to be found."""
    take_down(site, 1)
    machine = site.cluster.node(1).machine
    keys = machine.home / ".ssh" / "authorized_keys"
    machine.run(["mv", str(keys), f"{keys}.away"])
    try:
        failed = site.run("recover", 1, "--yes")
    finally:
        machine.run(["mv", f"{keys}.away", str(keys)])
    if is_on_record(site):
        assert failed.returncode == Unreachable.exit_status, failed.output
        assert "Permission denied" in failed.stderr
        assert "TARGET:  untouched" in failed.stderr
    else:
        assert failed.returncode == 8
        assert "server log of the primary (node 0)" in failed.stderr
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output


def test_cancel(site: Site) -> None:
    """Of a copy that would last for half a minute."""
    lose(site, 1)
    log = site.path("cancelled.log")
    with settings(site.cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=log)
        until(lambda: is_copying(site), within_s=20, what="the copy to begin")
        cancelled = site.run("cancel", 1)
        assert cancelled.returncode == 0, cancelled.output
        assert "the recovery of node 1 has ended" in cancelled.stdout
        status = client.wait(timeout_s=20)
    assert not is_copying(site)
    assert slot_of(1) not in site.cluster.slots(0)
    assert status == (10 if is_on_record(site) else 8)
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert_recovered(site.cluster, 1)


def is_copying(site: Site) -> bool:
    return bool(site.cluster.node(0).sql("SELECT 1 FROM pg_stat_progress_basebackup"))


def test_detach_and_attach(site: Site) -> None:
    detached = site.run("detach", 1)
    assert (detached.returncode, detached.stdout) == (0, "node 1 is down, standby\n")
    assert "attach it" in site.run("status").stdout
    attached = site.read("attach", 1)["node"]
    assert attached["status"] in ("up", "waiting")


def test_attach_of_a_node_without_server(site: Site) -> None:
    take_down(site, 2)
    refused = site.run("attach", 2)
    assert refused.returncode == 4
    assert "the server of node 2 could not be asked" in refused.stderr
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


def test_without_pgpool(site: Site) -> None:
    site.write_settings(
        "".join(
            f'[node.{server.node_id}]\nhost = "{server.machine.address}"\n'
            f'port = {server.port}\ndata_directory = "{server.data_directory}"\n'
            for server in site.cluster.servers
        )
    )
    take_down(site, 1)
    user = {"PGUSER": "postgres"}
    done = site.run("recover", 1, "--yes", "--without-pgpool", env=user)
    assert done.returncode == 0, done.output
    assert "node 1 is back: streaming" in done.stdout
    assert "step 1 of" in done.stdout
    shown = site.run("status", "--without-pgpool", env=user)
    assert "streaming" in shown.stdout, shown.output
    assert site.run("attach", 1).returncode == 0
    assert_recovered(site.cluster, 1)


def test_pgpool_that_cannot_be_reached(site: Site) -> None:
    failed = site.run("attach", 1, "--host", "10.77.0.11", "--port", 9)
    assert failed.returncode == 5
    assert "could not connect to Pgpool-II at 10.77.0.11 port 9" in failed.stderr
    document = json.loads(site.run("detach", 1, "--port", 9, "--json").stdout)
    assert document["error"]["exit_status"] == 5


def test_pgpool_that_does_not_answer_while_the_settings_name_the_nodes(site: Site) -> None:
    """From here on they do: see the test without Pgpool-II."""
    shown = site.run("status", "--port", 9, env={"PGUSER": "postgres"})
    assert shown.returncode == 0, shown.output
    assert "the nodes are those of the settings" in shown.stderr
    assert "streaming" in shown.stdout


def test_switchover(site: Site) -> None:
    """The last here, since node 0 is down after it, and comes back as a standby."""
    done = site.run("promote", 1, "--switchover", "--yes")
    assert done.returncode == 0, done.output
    assert done.stdout.endswith("node 1 is up, primary\n") or "primary" in done.stdout
    assert site.cluster.node(1).is_in_recovery is False
