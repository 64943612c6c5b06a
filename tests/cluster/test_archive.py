"""An archive that the nodes share has the history of a server that was promoted by mistake."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

import pytest

from tests.check.ask import check, plan
from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_one_host, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace

ARCHIVE = PurePosixPath("/var/lib/postgresql/archive")
KEEPING = f"mkdir -p {ARCHIVE} && test ! -f {ARCHIVE}/%f && cp %p {ARCHIVE}/%f"
COPYING = f"cp {ARCHIVE}/%f %p"
SECOND = "00000002.history"
STRAY = f"has {SECOND}, which is not the primary's"
OF_A_RIVAL = "1\t0/1000060\tno recovery target specified\n"


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    archiving = {"archive_mode": "on", "archive_command": KEEPING}
    made_of = ClusterPlan(standbys=2, settings={"wal_log_hints": "on", **archiving})
    with on_one_host(workspace, product, made_of) as made:
        made.primary.execute("SELECT pg_switch_wal()")
        until(lambda: archived(made), within_s=30, what="the archive to be there")
        yield made


def archived(cluster: Cluster) -> set[str]:
    directory = cluster.node(0).machine.path(ARCHIVE)
    return {file.name for file in directory.iterdir()} if directory.exists() else set()


def put(cluster: Cluster, name: str, text: str) -> None:
    cluster.node(0).machine.write_file(ARCHIVE / name, text)


def move_away(cluster: Cluster, timeline: str) -> None:
    """Move the history file and the WAL of a timeline out of the archive."""
    names = [ARCHIVE / name for name in archived(cluster) if name.startswith(timeline)]
    cluster.node(0).machine.run(["rm", *names])


@contextmanager
def restoring(node: Server, command: str) -> Iterator[None]:
    """Set a restore_command on a node for a while."""
    node.set(restore_command=command)
    try:
        yield
    finally:
        node.set(restore_command="")


def recover(cluster: Cluster, node_id: int) -> str:
    before = len(cluster.pgpool.log_text())
    cluster.recover(node_id)
    assert_recovered(cluster, node_id)
    return cluster.pgpool.log_text()[before:]


def refusal(cluster: Cluster, node_id: int) -> str:
    """Assert that a recovery is refused, and return what it has written to pgpool.log."""
    cluster.pgpool.wait_for_node(node_id, "down")
    before = len(cluster.pgpool.log_text())
    said = cluster.pgpool.recovery_node(node_id).output
    assert "Command Successful" not in said
    return cluster.pgpool.log_text()[before:]


def test_check_tells_of_a_stray_history_while_the_nodes_stream(cluster: Cluster) -> None:
    with restoring(cluster.node(1), COPYING):
        put(cluster, SECOND, OF_A_RIVAL)
        try:
            found = check(cluster)
        finally:
            move_away(cluster, "00000002")
        healthy = check(cluster)
    strays = [one for one in found if "does not stream again" in one.fact]
    assert [(one.severity, one.node_id) for one in strays] == [("error", 1)]
    assert f"the archive of node 1 {STRAY}" in strays[0].fact
    assert [one for one in healthy if one.severity in ("error", "warning")] == []


def test_promise_12_history_of_a_mistaken_promotion_is_named_until_it_is_gone(
    cluster: Cluster,
) -> None:
    primary, behind, rival = cluster.servers
    with restoring(behind, COPYING), restoring(rival, COPYING):
        behind.stop()
        primary.execute("CREATE TABLE later AS SELECT 1 n")
        position = primary.wal_position()
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        until(lambda: rival.sql(replayed) == [("t",)], within_s=30, what="node 2 to have it all")
        rival.promote()
        rival.execute("CREATE TABLE only_there AS SELECT 1 n; CHECKPOINT")
        until(lambda: SECOND in archived(cluster), within_s=30, what="the rival to archive")
        rival.kill()
        for node_id in (1, 2):
            log = refusal(cluster, node_id)
            assert f"the archive of node {node_id} {STRAY}" in log
            assert "It leads from timeline 1 (left at " in log
        assert "The data of node 2 itself is on that timeline." in log
        assert not behind.is_running
        move_away(cluster, "00000002")
        assert methods(recover(cluster, 1)) == ["catch-up"]
        log = recover(cluster, 2)
        assert methods(log) == ["rewind"], log


def test_restore_command_that_hangs_or_returns_anything(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    with settings(cluster, "[timeout]\narchive_s = 1\n"):
        with restoring(node, "sleep 600"):
            made = plan(cluster, 1)
            assert made["method"] == "catch-up"
            said, what = [note for note in made["notes"] if "restore_command" in note]
            assert "restore_command of node 1 did not end within 6 s" in said
            assert "overridden" in what
        with restoring(node, "echo it is not here > %p"):
            made = plan(cluster, 1)
            assert not made["possible"]
            assert f"returns something for {SECOND} that is not a history file" in str(made)
    node.start()
    cluster.pgpool.attach_node(1)


def test_primary_that_cannot_archive_its_own_history_is_reported(cluster: Cluster) -> None:
    """Its timeline's number is taken in the archive, and archive_command replaces no file."""
    put(cluster, SECOND, OF_A_RIVAL)
    new, old = cluster.fail_over(), cluster.node(0)
    failing = f"SELECT 1 FROM pg_stat_archiver WHERE last_failed_wal = '{SECOND}'"
    until(lambda: new.sql(failing), within_s=60, what="the archiver to fail")
    told = [one for one in check(cluster) if f"cannot archive {SECOND}" in one.fact]
    assert [(one.severity, one.node_id) for one in told] == [("error", new.node_id)]
    with restoring(old, COPYING):
        assert STRAY in refusal(cluster, 0)
        move_away(cluster, "00000002")
        new.execute("SELECT pg_switch_wal()")  # It wakes an archiver that is pausing after errors.
        until(
            lambda: SECOND in archived(cluster),
            within_s=90,
            what="its own history file to be archived",
        )
        assert methods(recover(cluster, 0)) == ["rewind"]
    assert not [one for one in check(cluster) if "cannot archive" in one.fact]
