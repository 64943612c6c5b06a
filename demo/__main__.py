"""Lose a node of a real cluster under load, recover it through Pgpool-II, and show all of it."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from demo.screen import Screen
from demo.tail import Tail
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import Completed
from tests.harness.contents import table_sums
from tests.harness.load import ClientLoad
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import build_product
from tests.harness.site import on_this_machine, slot_of, streams
from tests.harness.until import until
from tests.harness.workspace import Workspace

LOST = 1
PLAN = ClusterPlan(pgpool=PgpoolSettings(hostname_style="name"))
FILLER = """
CREATE TABLE accounts AS
    SELECT id, repeat(md5(id::text), 12) AS filler FROM generate_series(1, 400000) AS id
"""


def main() -> int:
    """Run the demonstration; return 0 when the node came back with equal contents."""
    screen = Screen()
    try:
        with Workspace() as workspace:
            screen.head(
                "A primary, a standby and Pgpool-II on loopback, in their own directory"
                f" ({workspace.directory})"
            )
            screen.says("building pgpool-recovery from this checkout, into that directory")
            product = build_product(workspace)
            screen.says("building the cluster")
            with on_this_machine(workspace, product, PLAN) as cluster:
                shows_recovery(cluster, screen)
                screen.says("stopping everything")
        screen.says("nothing is left: processes ended, directory removed")
    except KeyboardInterrupt:
        screen.says("interrupted; everything was stopped and removed")
        return 130
    return 0


def shows_recovery(cluster: Cluster, screen: Screen) -> None:
    """Lose and recover a node of a running cluster."""
    cluster.primary.execute(FILLER)
    shows_cluster(cluster, screen)
    screen.head("A client writes to the primary, and the standby is lost")
    with cluster.load(name="client", through_pgpool=False) as load:
        load.wait_for_commits(100)
        cluster.node(LOST).lose()
        screen.says(f"node {LOST}: server killed, data directory deleted")
        cluster.pgpool.wait_for_node(LOST, "down")
        screen.says(f"Pgpool-II: node {LOST} is down")
        load.wait_for_commits(400)
        screen.says(f"the client continues writing: {load.committed} transactions so far")

        screen.head(f"pcp_recovery_node -n {LOST}")
        with shown(cluster, screen):
            completed = recovered(cluster, LOST)
        screen.quotes(completed.output)
        info = cluster.pgpool.wait_for_node(LOST, "up")
        screen.head("The node is back")
        screen.says(f'Pgpool-II: node {LOST} has the status "{info.status}", role {info.role}')
        until(lambda: streams(cluster.primary, LOST), within_s=10, what="the node to stream")
        screen.says(f"the primary: node {LOST} streams from replication slot {slot_of(LOST)}")
        load.wait_for_commits(100)
    shows_proof(cluster, load, screen)


def shows_cluster(cluster: Cluster, screen: Screen) -> None:
    """Describe the cluster."""
    ((version, size),) = cluster.primary.sql(
        "SELECT current_setting('server_version'), pg_size_pretty(sum(pg_database_size(oid)))"
        " FROM pg_database"
    )
    for server in cluster.servers:
        role = "standby" if server.is_in_recovery else "primary"
        screen.says(
            f"node {server.node_id}: PostgreSQL {version}, port {server.port}, {role}, {size}"
        )
    pgpool = cluster.pgpool
    version = pgpool.machine.run(["pgpool", "--version"]).output.split(" (")[0]
    screen.says(f"{version}, port {pgpool.place.port}, PCP port {pgpool.place.pcp_port}")


def recovered(cluster: Cluster, node_id: int) -> Completed:
    """Recover the node with Pgpool-II's own command, while another thread shows the progress."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(cluster.recover, node_id).result()


@contextmanager
def shown(cluster: Cluster, screen: Screen) -> Iterator[None]:
    """Show the lines of the recovery in the primary's server log as they appear."""
    primary = cluster.primary
    log = primary.machine.path(primary.log_file)
    names = (f"node {LOST}: ", f"localhost:{cluster.node(LOST).data_directory}: ")

    def show(line: str) -> None:
        for name in names:
            if line.startswith(name):
                screen.quotes(line.removeprefix(name))

    with Tail(log, show):
        yield


def shows_proof(cluster: Cluster, load: ClientLoad, screen: Screen) -> None:
    """Compare the contents of both nodes with each other and with what the client committed."""
    summary = load.stop()
    screen.says(
        f"the client: {summary.committed} transactions, {len(summary.failures)} failed, "
        f"longest pause {summary.longest_pause_s:.2f} s"
    )
    comparison = cluster.contents_equal(cluster.primary.node_id, LOST)
    lost = load.lost_numbers(cluster.node(LOST))
    if not comparison or summary.failures or lost:
        raise SystemExit(
            f"differences: {comparison.differences}, rows lost: {lost}, failed: {summary.failures}"
        )
    sums = table_sums(cluster.node(LOST))
    rows = sum(table.rows for table in sums.values())
    screen.says(f"both nodes have the same contents: {len(sums)} tables, {rows} rows")


if __name__ == "__main__":
    sys.exit(main())
