"""Compare a call of pgpool_recovery() with the stock C function: ``python -m bench.call``.

The script only exits. Both are called in turn, so that whatever else the machine does affects both.
"""

import statistics
import time
from collections.abc import Callable

import psycopg

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import build_product, create_stock_function
from tests.harness.site import on_this_machine
from tests.harness.workspace import Workspace

CALLS = 200
SESSIONS = 30
OURS = "SELECT pgpool_recovery('noop', 'host', '/data', '5432', 1, '5432', 'primary')"
STOCK = OURS.replace("pgpool_recovery", "stock.pgpool_recovery")


def main() -> None:
    """Build a server with both, and print medians in milliseconds."""
    with Workspace() as workspace:
        product = build_product(workspace)
        with on_this_machine(workspace, product, ClusterPlan()) as cluster:
            measure(cluster)


def measure(cluster: Cluster) -> None:
    """Print how long calls in an open session take, and the first ones of new sessions."""
    server = cluster.primary
    create_stock_function(server)
    server.machine.write_file(server.data_directory / "noop", "#!/bin/sh\nexit 0\n", mode=0o700)
    with session(server) as one, session(server) as other:
        ours, stock = in_turn(CALLS, lambda: took_ms(one, OURS), lambda: took_ms(other, STOCK))
    report(f"a call in an open session ({CALLS} each)", ours, stock)
    ours, stock = in_turn(
        SESSIONS, lambda: first_call_ms(server, OURS), lambda: first_call_ms(server, STOCK)
    )
    report(f"the first call in a new session ({SESSIONS} each)", ours, stock)


def session(server: Server) -> psycopg.Connection[tuple[object, ...]]:
    """Open a session on the server."""
    return psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True)


def took_ms(connection: psycopg.Connection[tuple[object, ...]], query: str) -> float:
    """Return how long a query takes, in milliseconds."""
    began = time.perf_counter()
    connection.execute(query.encode())
    return 1000 * (time.perf_counter() - began)


def first_call_ms(server: Server, query: str) -> float:
    """Return how long a query takes as the first one of its session, in milliseconds."""
    with session(server) as connection:
        return took_ms(connection, query)


def in_turn(
    times: int, ours: Callable[[], float], stock: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Measure both in turn, that many times; the first pair warms up and is not counted."""
    pairs = [(ours(), stock()) for _ in range(times + 1)][1:]
    return [one for one, _ in pairs], [other for _, other in pairs]


def report(what: str, ours: list[float], stock: list[float]) -> None:
    """Print medians and their ratio."""
    a, b = statistics.median(ours), statistics.median(stock)
    print(f"{what}: ours {a:.2f} ms (max {max(ours):.1f}), stock {b:.2f} ms, ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
