"""The real pcp_recovery_node brings a node back from a repository if the settings name one."""

from collections.abc import Iterator

import pytest

from tests.check.ask import plan
from tests.cluster.test_ladder import lose_wal, methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts, settings, write_settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.pgbackrest.site import STANZA, configure

ARCHIVING = {
    "archive_mode": "on",
    "archive_command": f"pgbackrest --stanza={STANZA} archive-push %p",
}

OF_STANZA = f'[pgbackrest]\nstanza = "{STANZA}"\n'


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    """Yield a cluster with a repository on the primary's host."""
    with on_hosts(workspace, product, ClusterPlan(settings=ARCHIVING)) as made:
        primary = made.primary
        stanza = {"pg1-path": str(primary.data_directory)}
        there = {"repo1-host": "node0", "repo1-host-user": "postgres"}
        configure(made.host(0), {"start-fast": "y"}, stanza)
        configure(made.host(1), there, stanza)
        primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 60000) g"
        )
        for words in (["stanza-create"], ["backup", "--type=full"]):
            primary.machine.run(["pgbackrest", f"--stanza={STANZA}", *words], timeout_s=120)
        write_settings(made, OF_STANZA)
        yield made


def recover(cluster: Cluster) -> str:
    before = len(cluster.pgpool.log_text())
    with cluster.load(name=f"load_{before}", through_pgpool=False) as load:
        cluster.recover(1)
        load.wait_for_commits(20)
    assert_recovered(cluster, 1, load)
    return cluster.pgpool.log_text()[before:]


def fall_behind(cluster: Cluster) -> None:
    node, primary = cluster.node(1), cluster.node(0)
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    primary.execute("UPDATE filler SET t = 'changed' WHERE g % 100 = 0")
    lose_wal(primary, node)


def assert_reads_the_archive(node: Server) -> None:
    ((command,),) = node.sql("SHOW restore_command")
    assert "pgbackrest" in command
    assert str(node.data_directory) in command


def test_standby_whose_wal_is_gone_gets_it_from_the_archive(cluster: Cluster) -> None:
    fall_behind(cluster)
    log = recover(cluster)
    assert methods(log) == ["catch-up"], log
    assert "from the archive, by archive-get of pgBackRest" in log
    assert_reads_the_archive(cluster.node(1))


def test_standby_whose_wal_is_gone_is_restored(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.set(work_mem="7MB")
    fall_behind(cluster)
    with settings(cluster, f'[policy]\nmethods = ["restore"]\n{OF_STANZA}', OF_STANZA):
        log = recover(cluster)
    assert methods(log) == ["restore"], log
    assert "files already matched the backup" in log
    assert node.sql("SHOW work_mem") == [("7MB",)]
    assert_reads_the_archive(node)


def test_stray_history_is_seen_by_the_restore_command_that_a_restore_wrote(
    cluster: Cluster,
) -> None:
    """No method is used after which the server would read it: neither catch-up nor a copy."""
    node, primary = cluster.node(1), cluster.node(0)
    file, data = "00000002.history", primary.data_directory
    primary.machine.write_file(data / "pg_wal" / file, "1\t0/1000060\tno reason\n")
    push = f"pgbackrest --stanza={STANZA} archive-push pg_wal/{file} && rm pg_wal/{file}"
    primary.machine.run(["sh", "-c", f"cd {data} && {push}"])
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    try:
        of_node = plan(cluster, 1)
        node.lose()
        of_stanza = plan(cluster, 1)
    finally:
        primary.machine.run(["find", "/var/lib/pgbackrest/archive", "-name", file, "-delete"])
    assert not of_node["possible"]
    assert f"the archive of node 1 has {file}, which is not the primary's" in str(of_node)
    assert of_stanza["method"] == "basebackup"
    assert f"the archive of stanza {STANZA} has {file}" in str(of_stanza["passed_over"])


def test_new_empty_node(cluster: Cluster) -> None:
    cluster.node(1).lose()
    assert methods(recover(cluster)) == ["restore"]


def test_repository_that_is_out_of_reach_is_passed_over(cluster: Cluster) -> None:
    cluster.node(1).lose()
    conf = cluster.host(1).path("/etc/pgbackrest.conf")
    away = conf.with_suffix(".away")
    conf.rename(away)
    try:
        log = recover(cluster)
    finally:
        away.rename(conf)
    assert methods(log) == ["basebackup"]
    assert "not restore: node 1 cannot be restored from pgBackRest" in log
    until(lambda: cluster.node(1).is_running, within_s=5, what="node 1")
