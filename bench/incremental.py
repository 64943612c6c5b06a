"""Compare the method incremental with a full copy: ``python -m bench.incremental [MAJOR]``.

A primary and its stale standby are on one host, in memory, connected by TCP on loopback. In each
round, the standby lacks changes to a share of a big table, and the WAL for them is gone. Two ways
bring its data up to date in turn: the incremental backup in place, and pg_basebackup. What comes
afterwards, the start of the server and the replay, is the same for both and is not measured.
"""

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.contents import compare_contents
from tests.harness.network import Network
from tests.harness.postgresql import Server
from tests.harness.product import Product, build_product
from tests.harness.system import system_with
from tests.harness.template import REPLICATION_USER
from tests.harness.workspace import Workspace
from tests.incremental.site import SUMMARIES, Recovery, make_gap, restart_cleanly

ROUNDS = 3
ROWS = 3_000_000  # About 1 GB with the index.
TABLE = """
    CREATE TABLE big (id bigint PRIMARY KEY, value int NOT NULL, filler text NOT NULL)
      WITH (fillfactor = 90);
    INSERT INTO big SELECT n, 0, repeat(md5(n::text), 8) FROM generate_series(1, {rows}) AS n;
    VACUUM (FREEZE, ANALYZE) big;"""
CHANGES = {
    "2 % of the rows, side by side": "UPDATE big SET value = value + 1 WHERE id <= {rows} / 50",
    "1000 rows, scattered": "UPDATE big SET value = value + 1 WHERE id % ({rows} / 1000) = 0",
    "1 % of the rows, scattered": "UPDATE big SET value = value + 1 WHERE id % 100 = 7",
    "nothing": "SELECT",
    "every row, sent whole": "UPDATE big SET value = value + 1",
}


@dataclass(frozen=True)
class Cost:
    """What one way took."""

    seconds: float
    pretty_size: float


def main() -> None:
    """Print medians."""
    major = int(sys.argv[1]) if len(sys.argv) > 1 else 17
    system = system_with(major)
    plan = ClusterPlan(postgresql_major=major, settings=SUMMARIES | {"max_wal_size": "1GB"})
    with Workspace() as workspace, Network(["single"], systems={"single": system}) as network:
        product = build_product(workspace)
        product.command_on(system)
        (host,) = network.hosts
        site = Site([host, host], host, host, system.installation(major))
        primary, target = build_servers(workspace, plan, site)
        primary.execute(TABLE.format(rows=ROWS))
        restart_cleanly(primary, target)
        for what, statement in CHANGES.items():
            rounds = [
                one_round(primary, target, product, statement.format(rows=ROWS))
                for _ in range(ROUNDS)
            ]
            report(f"PostgreSQL {major}, {what}", rounds)


def one_round(
    primary: Server, target: Server, product: Product, statement: str
) -> tuple[Cost, Cost]:
    """Let the standby fall behind, and catch up in both ways."""
    target.stop()
    primary.execute(f"{statement}; CHECKPOINT;")
    make_gap(primary, target)
    full = full_copy(primary, Path(f"{target.data_directory}.full"))
    recovery = Recovery(primary, target, product)
    recovery.take_out()
    began = time.monotonic()
    applied = recovery.back_up()
    ours = Cost(time.monotonic() - began, applied["bytes_received"] / 1e6)
    rate = applied["bytes_received"] / 1e6 / applied["seconds"]
    print(f"  applied at {rate:.0f} MB/s: {applied}", file=sys.stderr)
    recovery.put_back()
    target.start()
    comparison = compare_contents(primary, target)
    assert comparison, comparison.differences  # noqa: S101 - a wrong copy is not worth a measurement
    return ours, full


def full_copy(primary: Server, directory: Path) -> Cost:
    """Copy everything with pg_basebackup, and remove it again."""
    machine = primary.machine
    program = primary.installation.program("pg_basebackup")
    began = time.monotonic()
    source = ["-d", primary.conninfo(REPLICATION_USER), "-c", "fast", "-X", "none"]
    machine.run([program, *source, "-D", directory], timeout_s=600)
    seconds = time.monotonic() - began
    size = machine.run(["du", "-sb", directory]).stdout.split()[0]
    machine.run(["rm", "-rf", directory])
    return Cost(seconds, int(size) / 1e6)


def report(what: str, rounds: list[tuple[Cost, Cost]]) -> None:
    """Print the medians of both."""
    ours, full = ([pair[way] for pair in rounds] for way in (0, 1))
    print(f"{what}: ours {_median(ours)}, pg_basebackup {_median(full)}")


def _median(costs: list[Cost]) -> str:
    seconds = statistics.median(cost.seconds for cost in costs)
    pretty_size = statistics.median(cost.pretty_size for cost in costs)
    return f"{seconds:.2f} s and {pretty_size:.0f} MB"


if __name__ == "__main__":
    main()
