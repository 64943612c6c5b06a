"""Measure how long no client can write after the primary is killed: ``python -m bench.failover``.

A client writes through Pgpool-II all the time. There are two clusters, used in turn: one whose
failover_command is ours, and one whose script only calls pg_promote() without any check, which is
the least that a script can do. Most of the time, in both, is that until Pgpool-II notices (with a
health check every second). Then the old primary is recovered, and the next round begins.
"""

import argparse
import statistics
import sys
from contextlib import ExitStack

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import build_product
from tests.harness.site import on_hosts
from tests.harness.workspace import Workspace
from tests.hooks.site import site_with_hooks

OURS, LEAST = "pgpool-recovery failover", "a script that only promotes"


def main() -> None:
    """Build both clusters once, and lose the primary of each repeatedly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    plan = ClusterPlan(settings={"wal_log_hints": "on"})
    with ExitStack() as stack:
        workspace = stack.enter_context(Workspace())
        product = build_product(workspace)
        clusters = {
            OURS: stack.enter_context(site_with_hooks(workspace, product, plan)).cluster,
            LEAST: stack.enter_context(on_hosts(workspace, product, plan)),
        }
        rounds = [
            {name: pause_s(cluster, number) for name, cluster in clusters.items()}
            for number in range(options.repeat)
        ]
    for name in clusters:
        values = [one[name] for one in rounds]
        print(
            f"{name}: no client could write for {statistics.median(values):.2f} s "
            f"({min(values):.2f} to {max(values):.2f} s)"
        )


def pause_s(cluster: Cluster, number: int) -> float:
    """Lose the primary under load, return the client's longest pause, and recover the node."""
    old = cluster.primary
    with cluster.load(name=f"round_{number}") as load:
        load.wait_for_commits(50)
        cluster.fail_over()
        load.wait_for_commits(50)
    longest_s = load.stop().longest_pause_s
    print(f"{longest_s:.2f} s", file=sys.stderr, flush=True)
    cluster.recover(old.node_id)
    return longest_s


if __name__ == "__main__":
    main()
