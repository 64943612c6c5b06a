"""Measure what the record of a recovery costs: ``python -m bench.record``.

The same events are run with and without a record, in turn. Measured are the milliseconds of this
process and those that it waits.
"""

import os
import statistics
import time
from collections.abc import Callable

from tests.harness.cluster import ClusterPlan
from tests.harness.product import build_product
from tests.harness.site import on_this_machine
from tests.harness.workspace import Workspace
from tests.server.story import STORY, carry_out

RUNS = 100
NOWHERE = "template0"
"""This database refuses connections, to measure the cost of not being on record."""


def main() -> None:
    """Build a server, record runs there, and print medians in milliseconds."""
    with Workspace() as workspace:
        product = build_product(workspace)
        plan = ClusterPlan(standbys=0)
        with on_this_machine(workspace, product, plan) as cluster:
            server = cluster.primary
            os.environ |= {
                "PGHOST": str(server.machine.socket_directory),
                "PGPORT": str(server.port),
                "PGUSER": "postgres",
            }
            recorded, refused = [], []
            for _ in range(RUNS):
                recorded.append(_cost(lambda: carry_out(keep=RUNS)))
                refused.append(_cost(lambda: carry_out(database=NOWHERE)))
    for name, costs in (("on record", recorded), ("refused", refused)):
        own_ms, all_ms = (statistics.median(cost[i] for cost in costs) * 1e3 for i in (0, 1))
        print(f"{name}: {all_ms:.1f} ms, {own_ms:.1f} ms of them in this process")
    print(f"medians of {RUNS} runs of {len(STORY)} events each")


def _cost(work: Callable[[], object]) -> tuple[float, float]:
    own_s, all_s = time.process_time(), time.monotonic()
    work()
    return time.process_time() - own_s, time.monotonic() - all_s


if __name__ == "__main__":
    main()
