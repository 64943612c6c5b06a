"""pgpool_recovery_plan() returns what a recovery would do, without doing any of it."""

from collections.abc import Iterator

import pytest

from tests.check.ask import fingerprint, names, plan
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts, settings, slot_of, streams
from tests.harness.until import until
from tests.harness.workspace import Workspace


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    with on_hosts(workspace, product, ClusterPlan(authentication="scram-sha-256")) as made:
        yield made


def test_stopped_standby_and_nothing_is_left_of_the_question(cluster: Cluster) -> None:
    node, primary = cluster.node(1), cluster.primary
    node.stop()
    until(lambda: not primary.slots()[node.slot], within_s=20, what="its slot to be free")
    before, names_before = fingerprint(node), names(primary)
    slots = primary.slots()
    made = plan(cluster, 1)
    assert (made["version"], made["node_id"], made["possible"]) == (1, 1, True)
    assert (made["method"], made["target_runs"]) == ("catch-up", False)
    assert [step["touches"] for step in made["steps"]] == ["target", "primary", "target", "target"]
    assert made["passed_over"][0]["method"] == "attach"
    assert made["point_of_no_return"] is None
    assert fingerprint(node) == before
    assert names(primary) == names_before
    assert primary.slots() == slots
    seen = "SELECT 1 FROM pg_stat_replication"
    until(lambda: not primary.sql(seen), within_s=20, what="the logins of the query to be gone")


def test_lost_data(cluster: Cluster) -> None:
    cluster.node(1).lose()
    cluster.primary.drop_slot(cluster.node(1).slot)  # It cannot be known that it was this node's.
    made = plan(cluster, 1)
    assert made["method"] == "basebackup"
    assert made["moved_bytes"] > 20 * 2**20
    assert [over["method"] for over in made["passed_over"]][-1] == "delta"
    assert not cluster.node(1).machine.path(cluster.node(1).data_directory).exists()


def test_what_it_says_is_what_is_done_and_a_node_that_runs_is_taken_for_lost(
    cluster: Cluster,
) -> None:
    said = plan(cluster, 1)["sentences"]
    before = len(cluster.pgpool.log_text())
    cluster.recover(1)
    assert_recovered(cluster, 1)
    log = cluster.pgpool.log_text()[before:]
    # The free space and the measured speed of the link differ each time.
    same = [sentence for sentence in said if "free" not in sentence and "link" not in sentence]
    assert len(same) == len(said) - 2
    assert all(sentence in log for sentence in same), (said, log)
    made = plan(cluster, 1)
    assert (made["method"], made["target_runs"], made["target_streams"]) == (
        "catch-up",
        True,
        True,
    )
    assert streams(cluster.primary, 1), "the query has ended the node's stream"


def test_primary_itself_and_a_host_that_is_cut_off(cluster: Cluster) -> None:
    made = plan(cluster, 0)
    assert (made["possible"], made["exit_status"]) == (False, 4)
    assert "is the primary" in made["reasons"][0]["message"]
    cluster.host(0).cut(cluster.host(1))
    made = plan(cluster, 1)
    cluster.host(0).mend(cluster.host(1))
    assert (made["possible"], made["exit_status"]) == (False, 5)
    assert made["reasons"][0]["message"] == "could not log in to node 1 by ssh"
    until(lambda: streams(cluster.primary, 1), within_s=60, what="node 1 to stream again")


def test_script_that_is_missing(cluster: Cluster) -> None:
    primary = cluster.primary
    script = primary.machine.path(primary.data_directory) / "pgpool_recovery_plan"
    text = script.read_bytes()
    script.unlink()
    try:
        with pytest.raises(CommandError) as failure:
            plan(cluster, 1)
    finally:
        primary.machine.write_file(
            f"{primary.data_directory}/pgpool_recovery_plan", text.decode(), mode=0o700
        )
    said = failure.value.completed.output
    assert 'pgpool_recovery_plan" does not exist' in said, said
    assert f"pgpool-recovery install --data-directory {primary.data_directory}" in said


def test_running_server_that_follows_no_primary(cluster: Cluster) -> None:
    """What would be refused is not planned either. Node 1 diverges, so this is the last test."""
    node = cluster.node(1)
    node.promote()
    made = plan(cluster, 1)
    assert (made["possible"], made["exit_status"]) == (False, 4)
    assert made["reasons"][0]["message"] == "the server of node 1 is running"
    until(
        lambda: not cluster.primary.slots()[slot_of(1)],
        within_s=30,
        what="the primary to notice that the slot is not in use",
    )
    with settings(cluster, '[policy]\nstop_running = "always"\n'):
        assert plan(cluster, 1)["method"] == "delta"
    assert node.is_running
