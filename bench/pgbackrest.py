"""Restore a node from a pgBackRest repository on the primary's host, by hand: a peer to compare."""

import time
from pathlib import PurePath

from bench.contender import NotBroughtBack
from tests.harness.cluster import Cluster
from tests.harness.postgresql import Server
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until
from tests.pgbackrest.site import STANZA

NAME = "pgbackrest"
ARCHIVING = {
    "archive_mode": "on",
    "archive_command": f"pgbackrest --stanza={STANZA} archive-push %p",
}
CONFIGURATION = """[global]
start-fast=y
process-max=2
delta=y
compress-type=lz4
log-level-file=off
"""
REPOSITORY, KEPT = PurePath("/var/lib/pgbackrest"), PurePath("/var/lib/pgbackrest.kept")
_WITHIN_S = 3600
_IS_ARCHIVED = """
SELECT 1 FROM pg_stat_archiver
 WHERE last_archived_wal >= pg_walfile_name(pg_switch_wal() - 1)
   AND (last_failed_time IS NULL OR last_archived_time > last_failed_time)
"""


def back_up(cluster: Cluster) -> None:
    """Make a repository with a full backup of the primary."""
    primary = cluster.primary
    there = f"repo1-host={primary.machine.name}\nrepo1-host-user=postgres\n"
    for host, where in ((cluster.host(0), ""), (cluster.host(1), there)):
        text = CONFIGURATION + where + f"[{STANZA}]\npg1-path={primary.data_directory}\n"
        host.write_file(PurePath("/etc/pgbackrest.conf"), text)
    for words in (["stanza-create"], ["backup", "--type=full"]):
        _run(primary, *words)


def keep(cluster: Cluster) -> None:
    """Keep a copy of the repository, for `reset`."""
    _copy_repository(node=cluster.node(0), source=REPOSITORY, target=KEPT)


def reset(cluster: Cluster) -> None:
    """Make the repository again what it was when it was kept."""
    _copy_repository(node=cluster.node(0), source=KEPT, target=REPOSITORY)


def archive(cluster: Cluster) -> None:
    """Wait until all WAL up to now is in the repository."""
    primary = cluster.primary
    until(lambda: primary.sql(_IS_ARCHIVED), within_s=_WITHIN_S, what="WAL in the repository")


def restore(cluster: Cluster, primary: Server, node: Server) -> float:
    """Restore onto what the node has, as a standby, and start it."""
    conninfo = primary.conninfo(REPLICATION_USER, application_name=node.name)
    _run(node, "restore", "--type=standby", f"--recovery-option=primary_conninfo={conninfo}")
    node.configure()
    node.start()
    cluster.pgpool.pcp("pcp_attach_node", "-n", str(node.node_id))
    return time.monotonic()


def _copy_repository(*, node: Server, source: PurePath, target: PurePath) -> None:
    """Copy by hard links: pgBackRest replaces files, and never changes one."""
    script = f"rm -rf {target} && cp -al {source} {target}"
    node.machine.run(["sh", "-c", script], user="root", timeout_s=_WITHIN_S)


def _run(server: Server, *words: str) -> None:
    argv = ["pgbackrest", f"--stanza={STANZA}", *words]
    done = server.machine.run(argv, timeout_s=_WITHIN_S, check=False)
    if done.returncode != 0:
        raise NotBroughtBack(done.output)
