"""Compare the cost of a script's output with the stock C function: ``python -m bench.output``.

Scripts write many lines, with bash as most stage scripts do, and as fast as a program can. Both
functions run them in turn, so that whatever else the machine does affects both.
"""

from bench.call import in_turn, report, session, took_ms
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import build_product, create_stock_function
from tests.harness.site import on_this_machine
from tests.harness.workspace import Workspace

LINES = 20000
TIMES = 15
CALL = "SELECT {}pgpool_recovery('{}', 'host', '/data', '5432', 1, '5432', 'primary')"
SCRIPTS = {
    "echo": f"for ((i = 0; i < {LINES}; i++)); do echo line $i of a script that says much; done",
    "xtrace": f"set -o xtrace\nfor i in $(seq {LINES}); do :; done",
    "seq": f"seq {LINES}",
}


def main() -> None:
    """Build a server with both, and print medians in milliseconds."""
    with Workspace() as workspace:
        product = build_product(workspace)
        with on_this_machine(workspace, product, ClusterPlan()) as cluster:
            measure(cluster)


def measure(cluster: Cluster) -> None:
    """Print how long each script takes with either function."""
    server = cluster.primary
    create_stock_function(server)
    for name, text in SCRIPTS.items():
        file = server.data_directory / name
        server.machine.write_file(file, f"#!/bin/bash\n{text}\n", mode=0o700)
        with session(server) as one, session(server) as other:
            ours, stock = in_turn(
                TIMES,
                lambda: took_ms(one, CALL.format("", name)),  # noqa: B023 - called here
                lambda: took_ms(other, CALL.format("stock.", name)),  # noqa: B023 - likewise
            )
        report(f"{LINES} lines by {name} ({TIMES} each)", ours, stock)


if __name__ == "__main__":
    main()
