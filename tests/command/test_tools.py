"""The recipes of the page, each with the tool that it is for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

import pytest

from tests.cluster.test_clone import move_to_cloning_filesystem
from tests.cluster.test_ladder import lose_wal, methods
from tests.command.recipe import install_program, program_of, settings_of
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, left_over, on_hosts, settings
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix

pytestmark = in_whole_matrix(15)
ONLY = '[policy]\nmethods = ["attach", "command"]\n'
STANZA = "main"
BARMAN = PurePath("/var/lib/postgresql/barman")
BARMAN_CONF = """\
[barman]
barman_user = postgres
barman_home = {home}
configuration_files_directory = /etc/barman.d
log_file = {home}.log
[main]
description = the cluster
ssh_command = ssh postgres@node0
conninfo = {conninfo}
backup_method = rsync
archiver = on
"""


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: run ci/install-packages")


@contextmanager
def cluster_with(workspace: Workspace, product: Product, archive_command: str) -> Iterator[Cluster]:
    archiving = {
        "archive_mode": "on",
        "archive_command": archive_command,
        "wal_keep_size": "1GB",
        "wal_log_hints": "on",
    }
    with on_hosts(workspace, product, ClusterPlan(settings=archiving)) as made:
        primary = made.primary
        space = primary.data_directory.parent / "ts"
        primary.create_tablespace("ts", space, also_on=[made.node(1)])
        primary.execute(
            "CREATE TABLE filler TABLESPACE ts AS"
            " SELECT g, repeat('x', 500) t FROM generate_series(1, 20000) g"
        )
        yield made


def recover(cluster: Cluster, node_id: int, name: str) -> str:
    before = len(cluster.pgpool.log_text())
    with settings(cluster, ONLY + settings_of(name)):
        cluster.recover(node_id)
    assert_recovered(cluster, node_id)
    assert left_over(cluster.node(node_id)) == []
    log = cluster.pgpool.log_text()[before:]
    assert methods(log) == ["command"], log
    return log


def stop_standby(cluster: Cluster) -> None:
    cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    cluster.primary.execute("UPDATE filler SET t = 'changed' WHERE g % 100 = 0")


def barman(host: Server, *words: str) -> str:
    return host.machine.run(["barman", *words], timeout_s=120).stdout


def test_barman_also_with_a_backup_from_before_a_promotion(
    workspace: Workspace, product: Product, namespaces: None
) -> None:
    needs("barman")
    incoming = f"test ! -d {BARMAN}/main/incoming || cp %p {BARMAN}/main/incoming/%f"
    with cluster_with(workspace, product, incoming) as cluster:
        primary, host = cluster.primary, cluster.host(0)
        conninfo = primary.conninfo()
        host.make_directory(BARMAN, owner="postgres")
        text = BARMAN_CONF.format(home=BARMAN, conninfo=conninfo)
        host.write_file(PurePath("/etc/barman.conf"), text, owner="root", mode=0o644)
        # It makes the directories of the repository, although it finds no backup and no WAL yet.
        primary.machine.run(["barman", "check", "main"], timeout_s=120, check=False)
        barman(primary, "switch-wal", "--force", "--archive", "main")
        barman(primary, "backup", "--wait", "main")
        program = program_of("barman").replace("barman@backup", "postgres@node0")
        install_program(cluster, "node-by-barman", program)
        stop_standby(cluster)
        recover(cluster, 1, "barman")
        cluster.fail_over()
        cluster.primary.execute("UPDATE filler SET t = 'later' WHERE g % 100 = 0")
        recover(cluster, 0, "barman")


def test_pgbackrest(workspace: Workspace, product: Product, namespaces: None) -> None:
    needs("pgbackrest")
    push = f"pgbackrest --stanza={STANZA} archive-push %p"
    with cluster_with(workspace, product, push) as cluster:
        primary = cluster.primary
        stanza = f"[{STANZA}]\npg1-path={primary.data_directory}\n"
        there = "repo1-host=node0\nrepo1-host-user=postgres\n"
        for node_id, options in enumerate(("start-fast=y\n", there)):
            text = f"[global]\nlog-level-file=off\n{options}{stanza}"
            file = PurePath("/etc/pgbackrest.conf")
            cluster.host(node_id).write_file(file, text, owner="root", mode=0o644)
        for words in (["stanza-create"], ["backup", "--type=full"]):
            primary.machine.run(["pgbackrest", f"--stanza={STANZA}", *words], timeout_s=120)
        install_program(cluster, "node-by-pgbackrest", program_of("pgbackrest"))
        stop_standby(cluster)
        recover(cluster, 1, "pgbackrest")


def test_btrfs_also_after_a_promotion(
    workspace: Workspace, product: Product, namespaces: None
) -> None:
    needs("btrfs")
    needs("sudo")
    with on_hosts(workspace, product, ClusterPlan()) as cluster:
        cluster.pgpool.stop()
        for server in reversed(cluster.servers):
            move_to_cloning_filesystem(cluster, server.node_id)
            rule = "postgres ALL = (root) NOPASSWD: /usr/bin/btrfs\n"
            host = cluster.host(server.node_id)
            host.write_file(PurePath("/etc/sudoers.d/btrfs"), rule, owner="root", mode=0o440)
        cluster.pgpool.start()
        cluster.primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 20000) g"
        )
        volume = cluster.primary.data_directory.parent
        program = program_of("btrfs").replace("/srv/postgresql", str(volume))
        install_program(cluster, "node-by-btrfs", program)
        stop_standby(cluster)
        lose_wal(cluster.primary, cluster.node(1))
        recover(cluster, 1, "btrfs")
        cluster.fail_over()
        cluster.primary.execute("UPDATE filler SET t = 'later' WHERE g % 100 = 0")
        recover(cluster, 0, "btrfs")
