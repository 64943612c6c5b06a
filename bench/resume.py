"""Measure what an interrupted full copy costs: ``python -m bench.resume --size-mb 20000``.

A node without data gets a full copy, once undisturbed, and once with its agent killed when this
share of it has arrived. The recovery after that is the second run; the goal for 0.9 is at most 0.25
of the time of an undisturbed one. The time is that of the first stage and the remote start, called
by SQL, and the bytes are those that the node's host has received. The rows cannot be compressed.
Four times the size is needed on disk: the data, its WAL for a while, the copy, and room for it.
"""

import argparse
import shlex
import statistics
import time

from bench.situation import dense_table
from tests.faults.call import Call
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.product import build_product
from tests.harness.site import install, settings
from tests.harness.traffic import counting
from tests.harness.until import until
from tests.harness.workspace import Workspace

_WITHIN_S = 4 * 3600
SETTINGS = {"max_wal_size": "4GB", "autovacuum": "off", "shared_buffers": "256MB"}
COPY = '[policy]\nmethods = ["delta", "basebackup"]\ncompress = "none"\n'


def main() -> None:
    """Measure, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.9)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rate-mbit", type=float, default=None, help="of the link; none: no limit")
    given = parser.parse_args()
    plan = ClusterPlan(settings=SETTINGS)
    with Workspace() as workspace, cluster_on_hosts(workspace, plan, on_disk=True) as cluster:
        install(cluster, build_product(workspace))
        fill(cluster, given.size_mb)
        wholes, rests = list[tuple[float, float]](), list[tuple[float, float]]()
        for number in range(given.rounds):
            with settings(cluster, COPY):
                cluster.host(1).shape(given.rate_mbit)
                empty(cluster)
                wholes.append(measured(cluster))
                empty(cluster)
                interrupt(cluster, given.share * size_mb(cluster), f"interrupted_{number}")
                rests.append(measured(cluster))
                cluster.host(1).shape(None)
        report(wholes, rests)


def report(wholes: list[tuple[float, float]], rests: list[tuple[float, float]]) -> None:
    """Print the medians, and the second as a part of the first."""
    for name, found in (("undisturbed", wholes), ("after the interruption", rests)):
        seconds, received = (statistics.median(one) for one in zip(*found, strict=True))
        print(f"{name:24}{seconds:8.1f} s{received:10.0f} MB received")
    whole, rest = (statistics.median(s for s, _ in found) for found in (wholes, rests))
    print(f"{'ratio':24}{rest / whole:8.2f}")


def fill(cluster: Cluster, rows_mb: int) -> None:
    """Make data of about this size."""
    for statement in dense_table(rows_mb / 1000):
        cluster.primary.execute(statement)
    cluster.primary.execute("CHECKPOINT")


def empty(cluster: Cluster) -> None:
    """Take the node down, with all that it had."""
    node = cluster.node(1)
    if node.is_running:
        node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    until(lambda: not any(cluster.slots(0).values()), within_s=60, what="the slots to be free")
    node.machine.run(["sh", "-c", f"rm -rf {shlex.quote(str(node.data_directory))}/*"])


def interrupt(cluster: Cluster, wanted_mb: float, name: str) -> None:
    """Begin a recovery, and kill its agent when so much has arrived."""
    call = Call(cluster.node(0), cluster.node(1), name)
    until(lambda: copied_mb(cluster) > wanted_mb, within_s=_WITHIN_S, what="that share of it")
    machine = cluster.node(1).machine
    agents = [p.pid for p in machine.processes() if p.argv[-1:] == ("agent",)]
    machine.run(["kill", "-KILL", *map(str, agents)], user="root")
    call.ends(60)


def copied_mb(cluster: Cluster) -> float:
    """Return the size of the copy that grows beside the node's data directory."""
    argv = ["du", "-s", "--block-size=1", f"{cluster.node(1).data_directory}.pgpool_recovery/new"]
    said = cluster.node(1).machine.run(argv, check=False).stdout
    return float(said.split()[0]) / 1e6 if said else 0.0


def size_mb(cluster: Cluster) -> float:
    """Return the size of the primary's databases, which is more than that of the rows."""
    ((found,),) = cluster.primary.sql("SELECT sum(pg_database_size(oid)) FROM pg_database")
    return float(found) / 1e6


def measured(cluster: Cluster) -> tuple[float, float]:
    """Recover the node; return the seconds, and the megabytes that its host received."""
    began = time.monotonic()
    with counting(cluster.host(1)) as traffic:
        for is_start in (False, True):
            call = Call(cluster.node(0), cluster.node(1), "measured", is_start=is_start)
            said = call.ends(_WITHIN_S)
            if "ERROR" in said:
                raise SystemExit(said)
    seconds = time.monotonic() - began
    return seconds, traffic.received_bytes / 1e6


if __name__ == "__main__":
    main()
