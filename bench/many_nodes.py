"""Check clusters of more and more nodes, each on a host of its own: ``python -m bench.many_nodes``.

Reports how long a check and a plan of one node take, how many logins that needs, how many of them
sshd or a server turned away, and every finding, although there is nothing to be found. All hosts
share the processors of this machine, so the time contains the work of all of them.
"""

import argparse
import time

from tests.check.ask import check, plan
from tests.check.many import (
    LOGGED_IN,
    REPLICATION,
    TOO_MANY,
    TURNED_AWAY,
    many_nodes,
    server_logs,
    ssh_logs,
)
from tests.harness.cluster import Cluster
from tests.harness.product import build_product
from tests.harness.workspace import Workspace


def main() -> None:
    """Build a cluster of each size, and check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--major", type=int, default=None, help="of another system than this one")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with Workspace() as workspace:
        product = build_product(workspace)
        for number in options.nodes:
            began = time.monotonic()
            with many_nodes(workspace, product, number, options.major) as site:
                print(f"{number} nodes: built in {time.monotonic() - began:.0f} s", flush=True)
                for _ in range(options.repeat):
                    _report(site.cluster)


def _report(cluster: Cluster) -> None:
    before = _counts(cluster)
    began = time.monotonic()
    found = check(cluster)
    checked_s = time.monotonic() - began
    after = _counts(cluster)
    began = time.monotonic()
    plan(cluster, 1)
    planned_s = time.monotonic() - began
    counts = ", ".join(f"{name} {after[name] - before[name]}" for name in after)
    print(f"check {checked_s:.1f} s, plan {planned_s:.1f} s; {counts}", flush=True)
    for one in found:
        if one.severity != "ok":
            print(f"  {one.severity}: node {one.node_id}: {one.fact}", flush=True)


def _counts(cluster: Cluster) -> dict[str, int]:
    by_ssh, by_sql = ssh_logs(cluster), server_logs(cluster)
    return {
        "ssh logins": len(LOGGED_IN.findall(by_ssh)),
        "turned away by sshd": len(TURNED_AWAY.findall(by_ssh)),
        "replication logins": len(REPLICATION.findall(by_sql)),
        "turned away by a server": len(TOO_MANY.findall(by_sql)),
    }


if __name__ == "__main__":
    main()
