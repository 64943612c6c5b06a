"""Measure a standby whose WAL is gone from the primary but in an archive: ``bench.archive``.

The node was stopped, a share of a big table was changed, and the primary has removed the WAL for
that. The archive is a directory of the primary's host, from which the node's restore_command
copies with scp. The node is brought back by an earlier build, which makes a full copy; by this
checkout; by hand, with PostgreSQL alone and the same restore_command; and by pg_basebackup. All are
measured in turn, over a link of the same rate, each from the same data and the same situation. The
time is until the node streams; in brackets, until the command has ended. The bytes are those that
the node's host has received.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from bench.builds import two_builds
from bench.contender import CONTENDERS, recover, start_and_attach, use_no_slot
from bench.recovery import SETTINGS, Measurement, bring_back, cell, load
from bench.side_by_side import BARE, OLDER, OURS
from bench.situation import changed, dense_table
from bench.snapshot import Snapshot
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.proof import assert_equal
from tests.harness.site import install
from tests.harness.until import until
from tests.harness.wal import remove_wal_for
from tests.harness.workspace import Workspace

BEFORE = "908cf293"
"""The last commit whose build makes a full copy here."""
ARCHIVE = PurePosixPath("/var/lib/postgresql/archive")
KEEPING = f"mkdir -p {ARCHIVE} && test ! -f {ARCHIVE}/%f && cp %p {ARCHIVE}/%f"
COPYING = f"scp -q -o BatchMode=yes node0:{ARCHIVE}/%f %p"
ARCHIVING = {"archive_mode": "on", "archive_command": KEEPING}
COPY = "pg_basebackup"
_ARCHIVED_WITHIN_S = 300
_IS_ARCHIVED = """
SELECT 1 FROM pg_stat_archiver
 WHERE last_archived_wal >= pg_walfile_name(pg_switch_wal() - 1) AND last_failed_wal IS NULL
"""

Way = Callable[[Cluster, Server, Server], float]


@dataclass(frozen=True)
class Bench:
    """A cluster, and the ways in which its node 1 is brought back."""

    cluster: Cluster
    snapshot: Snapshot
    builds: Mapping[str, Product]
    percent: int
    rate_mbit: float

    def measure(self, name: str) -> Measurement:
        """Arrange the situation, and bring the node back in one way; prove that ours is equal."""
        self.snapshot.restore()
        if name in self.builds:
            install(self.cluster, self.builds[name])
        self.fall_behind()
        one = bring_back(self.cluster, 1, self._way(name), self.rate_mbit)
        if one.failure is None and name in self.builds:
            assert_equal(self.cluster, 1)
        print(f"  {name}: {cell([one])} {one.failure or ''}", file=sys.stderr, flush=True)
        return one

    def fall_behind(self) -> None:
        """Stop the node, change the table, and have the WAL archived and removed."""
        primary, node = self.cluster.servers
        primary.machine.run(["rm", "-rf", ARCHIVE])
        node.set(restore_command=COPYING)
        node.stop()
        use_no_slot(node)
        for slot in primary.slots():
            primary.drop_slot(slot)
        primary.execute(changed(self.percent))
        until(
            lambda: primary.sql(_IS_ARCHIVED),
            within_s=_ARCHIVED_WITHIN_S,
            what="WAL in the archive",
        )
        remove_wal_for(primary, node)
        self.cluster.pgpool.wait_for_node(1, "down")
        os.sync()  # Otherwise the disk would still be writing what was restored.

    def _way(self, name: str) -> Way:
        if name in self.builds:
            return recover
        if name == BARE:
            return start_and_attach
        return next(one.bring_back for one in CONTENDERS if one.name == name)


def main() -> None:
    """Build a cluster with data once, and print medians."""
    options = _options()
    plan = ClusterPlan(
        postgresql_major=options.major,
        settings=SETTINGS | ARCHIVING,
        initdb_options=("--data-checksums",),
    )
    with (
        two_builds(options.older) as builds,
        Workspace() as workspace,
        cluster_on_hosts(workspace, plan, on_disk=True) as cluster,
    ):
        load(cluster, *dense_table(options.gigabytes))
        install(cluster, builds[OURS])
        snapshot = Snapshot(cluster, workspace.make("snapshot"))
        bench = Bench(cluster, snapshot, builds, options.percent, options.rate)
        names = [OLDER, OURS, BARE, COPY]
        rounds = [{name: bench.measure(name) for name in names} for _ in range(options.repeat)]
        print(
            f"PostgreSQL {options.major}, {snapshot.pretty_size:.0f} MB, {options.percent} % "
            f"changed, {options.rate:g} Mbit/s, medians of {options.repeat}"
        )
        for name in names:
            print(f"{name:14}  {cell([one[name] for one in rounds])}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.archive", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--older", default=BEFORE, help="the commit of the earlier build")
    parser.add_argument("--major", type=int, default=15, help="PostgreSQL major")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="amount of data")
    parser.add_argument("--percent", type=int, default=2, help="share of the rows that change")
    parser.add_argument("--rate", type=float, default=1000, help="rate of the link, in Mbit/s")
    parser.add_argument("--repeat", type=int, default=3, help="number of measurements of each")
    return parser.parse_args()


if __name__ == "__main__":
    main()
