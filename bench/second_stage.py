"""Measure how long clients wait for the second stage: ``python -m bench.second_stage``.

The cluster uses native replication, with a table of some gigabytes and a client that writes through
Pgpool-II all the time. Node 1 is stopped, misses changes to a part of the table, and is recovered.
The output is the duration that the stages report, from the moment when Pgpool-II no longer has any
client, and the longest pause of the client, which includes Pgpool-II's own waits.
"""

import argparse
import re
import statistics
import sys
from dataclasses import astuple, dataclass

from bench.situation import changed, table
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import build_product
from tests.harness.site import on_hosts, write_settings
from tests.harness.until import until
from tests.harness.workspace import Workspace

MODE = "native_replication"
SECOND_STAGE = re.compile(r"goes on by itself \(([\d.]+) s\)")
REMOTE_START = re.compile(r"it was running already on port \d+ \(([\d.]+) s\)")


@dataclass(frozen=True)
class Measurement:
    """Seconds of one recovery."""

    second_stage: float
    remote_start: float
    client_pause: float


def main() -> None:
    """Build a cluster with data once, and recover node 1 repeatedly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    plan = ClusterPlan(
        settings={"wal_log_hints": "on", "autovacuum": "off", "max_wal_size": "8GB"},
        pgpool=PgpoolSettings(
            clustering_mode=MODE,
            recovery_2nd_stage_command="recovery_2nd_stage",
            extra={"client_idle_limit_in_recovery": "-1"},
        ),
    )
    with Workspace() as workspace, on_hosts(workspace, build_product(workspace), plan) as cluster:
        write_settings(cluster, f'[pgpool]\nbackend_clustering_mode = "{MODE}"\n')
        cluster.pgpool.sql(table(options.gigabytes))
        measured = [_measure(cluster, number) for number in range(options.repeat)]
    names = ("second stage", "remote start", "longest pause of the client")
    for name, values in zip(names, zip(*map(astuple, measured), strict=True), strict=True):
        print(
            f"{name}: {statistics.median(values):.1f} s ({min(values):.1f} to {max(values):.1f} s)"
        )


def _measure(cluster: Cluster, number: int) -> Measurement:
    cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    until(
        lambda: cluster.pgpool.sql(f"{changed(2)} SELECT 1"),
        within_s=300,
        what="the table to be changed",
        tolerating=(CommandError,),  # Its processes restart when a node goes down.
    )
    before = len(cluster.pgpool.log_text())
    with cluster.load(name=f"load_{number}") as load:
        load.wait_for_commits(50)
        cluster.recover(1, timeout_s=300)
        load.wait_for_commits(load.committed + 50)
    said = cluster.pgpool.log_text()[before:]
    second_stage, remote_start = (
        float(pattern.findall(said)[-1]) for pattern in (SECOND_STAGE, REMOTE_START)
    )
    one = Measurement(second_stage, remote_start, load.stop().longest_pause_s)
    print(one, file=sys.stderr, flush=True)
    return one


if __name__ == "__main__":
    main()
