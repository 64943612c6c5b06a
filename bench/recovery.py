"""Measure the time until a lost node streams again, and its bytes: ``python -m bench.recovery``.

This compares our commands with the stock scripts, which wait for a spread checkpoint as Pgpool-II's
samples do, with the same scripts with ``-c fast``, and with the tools by themselves: pg_basebackup
-c fast and pg_rewind. Each measurement begins with the same data and the same situation. All are
made in turn, so that whatever else the machine does affects all of them. The time is measured from
pcp_recovery_node (or the start of the tool) until the node streams; the time in brackets is until
the command itself has ended, which for pcp_recovery_node is when Pgpool-II has attached the node.
The bytes are those that the node's host has received. There are no writes in the meantime. The
stock scripts are called by our extension, whose cost is too small to show here (bench/call.py).

The data is in memory, so the link is the limit; twice its size is needed there, and on disk.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from bench.contender import CONTENDERS, Contender, NotBroughtBack
from bench.situation import SITUATIONS, Situation, table
from bench.snapshot import Snapshot
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.command import CommandError
from tests.harness.contents import wait_for_replay
from tests.harness.postgresql import Server
from tests.harness.product import Product, build_product
from tests.harness.proof import assert_equal
from tests.harness.site import install
from tests.harness.traffic import counting
from tests.harness.until import DeadlineError, until
from tests.harness.workspace import Workspace

_WITHIN_S = 900
_HAS_LITTLE_WAL = "SELECT sum(size) < 200e6 FROM pg_ls_waldir()"
_STREAMS = "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"
SETTINGS = {
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "5min",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Measurement:
    """One node that came back, or the reason why not."""

    seconds: float = 0.0
    command_s: float = 0.0
    pretty_size: float = 0.0
    failure: str | None = None


@dataclass
class Bench:
    """What is measured, and the results so far."""

    cluster: Cluster
    product: Product
    snapshot: Snapshot
    rate_mbit: float
    prove: bool
    results: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict)

    def measure(self, situation: Situation, contender: Contender) -> None:
        """Arrange a situation, let a contender bring the node back, and take it down."""
        self.snapshot.restore()
        contender.prepare(self.cluster, self.product)
        node_id = situation.arrange(self.cluster)
        self.cluster.pgpool.wait_for_node(node_id, "down")
        one = bring_back(self.cluster, node_id, contender.bring_back, self.rate_mbit)
        if self.prove and one.failure is None:
            assert_equal(self.cluster, node_id)
        self.results.setdefault((situation.name, contender.name), []).append(one)
        print(f"  {situation.name}: {contender.name}: {cell([one])}", file=sys.stderr, flush=True)

    def report(self) -> None:
        """Print a row for each situation and a column for each contender."""
        names = [contender.name for contender in CONTENDERS]
        names = [name for name in names if any(name == of for _, of in self.results)]
        situations = dict.fromkeys(situation for situation, _ in self.results)
        rows = [
            [of, *(cell(self.results.get((of, name), [])) for name in names)] for of in situations
        ]
        rows.insert(0, ["situation", *names])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print(
                "  ".join(
                    word.ljust(width) for word, width in zip(row, widths, strict=True)
                ).rstrip()
            )
        for (situation, name), measured in self.results.items():
            for failure in {one.failure for one in measured if one.failure}:
                print(f"\n{situation}, {name} failed: {failure}")


def bring_back(
    cluster: Cluster,
    node_id: int,
    command: Callable[[Cluster, Server, Server], float],
    rate_mbit: float,
) -> Measurement:
    """Bring a node back with a command, over a link of this rate, and measure it."""
    primary, node, host = cluster.primary, cluster.node(node_id), cluster.host(node_id)
    host.shape(rate_mbit)
    try:
        with counting(host) as traffic, ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            running = pool.submit(command, cluster, primary, node)
            streams_at = _streams_at(node, running)
            command_s = running.result() - began
    except (NotBroughtBack, CommandError, DeadlineError) as failed:
        return Measurement(failure=str(failed))
    finally:
        host.shape(None)
    return Measurement(streams_at - began, command_s, traffic.received_bytes / 1e6)


def _streams_at(node: Server, command: "Future[float]") -> float:
    """Return when the node's WAL receiver streams, which may be before its command ends or after.

    The primary cannot tell: it also has a walsender that streams for pg_basebackup.
    """
    conninfo = node.conninfo_from_here(dbname="postgres")

    def streams() -> bool:
        if command.done():
            command.result()
        with psycopg.connect(conninfo) as connection:
            return connection.execute(_STREAMS).fetchone() is not None

    until(streams, within_s=_WITHIN_S, what="the node to stream", tolerating=(psycopg.Error,))
    return time.monotonic()


def cell(measured: Sequence[Measurement]) -> str:
    """Return medians: seconds, those of the command in brackets, and pretty_size.

    >>> cell([Measurement(2.04, 3.51, 17.2)])
    '2.0 s (3.5), 17 MB'
    >>> cell([])
    '-'
    """
    good = [one for one in measured if one.failure is None]
    if not good:
        return "failed" if measured else "-"
    seconds, command_s, pretty_size = (
        statistics.median(getattr(one, name) for one in good)
        for name in ("seconds", "command_s", "pretty_size")
    )
    return f"{seconds:.1f} s ({command_s:.1f}), {pretty_size:.0f} MB"


def main() -> None:
    """Build a cluster with data once, and measure."""
    options = _options()
    summaries = {"summarize_wal": "on"} if options.major >= 17 else {}
    plan = ClusterPlan(
        postgresql_major=options.major,
        settings=SETTINGS | summaries,
        initdb_options=("--data-checksums",),
    )
    situations = [one for one in SITUATIONS if any(word in one.name for word in options.situation)]
    contenders = [one for one in CONTENDERS if one.name in options.contender]
    with Workspace() as workspace, cluster_on_hosts(workspace, plan) as cluster:
        product = build_product(workspace)
        load(cluster, table(options.gigabytes))
        install(cluster, product)
        snapshot = Snapshot(cluster, workspace.make("snapshot"))
        bench = Bench(cluster, product, snapshot, options.rate, options.prove)
        print(
            f"PostgreSQL {options.major}, {snapshot.pretty_size:.0f} MB, {options.rate:g} Mbit/s,"
            f" medians of {options.repeat}",
            flush=True,
        )
        for _ in range(options.repeat):
            for situation in situations:
                for contender in contenders:
                    if contender.applies_to(situation):
                        bench.measure(situation, contender)
        bench.report()


def load(cluster: Cluster, *statements: str) -> None:
    """Load a table, remove the WAL of that from both nodes, and keep all WAL from now on.

    pg_rewind would copy the WAL that is there. The restart makes the server forget how much it has
    written; otherwise it would go on recycling segments. Pgpool-II must not notice it, since it
    might promote the standby.
    """
    primary, node = cluster.servers
    for one in statements:
        primary.execute(one)
    cluster.pgpool.stop()
    for server in (primary, node):
        server.restart()
    until(lambda: _have_little_wal(primary, node), within_s=_WITHIN_S, what="WAL to go")
    for server in (primary, node):
        server.set(wal_keep_size="8GB")
    cluster.pgpool.start()


def _have_little_wal(primary: Server, node: Server) -> bool:
    primary.execute("SELECT pg_switch_wal(); CHECKPOINT;")
    wait_for_replay(node, primary.wal_position(), within_s=_WITHIN_S)
    node.execute("CHECKPOINT")
    query = _HAS_LITTLE_WAL
    return all(server.sql(query) == [("t",)] for server in (primary, node))


def _options() -> argparse.Namespace:
    names = [one.name for one in CONTENDERS]
    parser = argparse.ArgumentParser(
        prog="python -m bench.recovery", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--major", type=int, default=15, help="PostgreSQL major")
    parser.add_argument("--gigabytes", type=float, default=2.0, help="amount of data")
    parser.add_argument("--rate", type=float, default=1000, help="rate of the link, in Mbit/s")
    parser.add_argument("--repeat", type=int, default=3, help="number of measurements of each")
    parser.add_argument(
        "--situation", nargs="+", default=[""], help="only situations with one of these words"
    )
    parser.add_argument("--contender", nargs="+", default=names, choices=names)
    parser.add_argument(
        "--prove", action="store_true", help="prove that the node equals the primary"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
