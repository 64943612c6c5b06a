"""Measure the method delta: ``python -m bench.delta``.

A standby has missed changes to 2 % of the rows; the WAL for them is gone, and no archive is used
except by pgBackRest. It is brought back, over a link of this rate, by the last build that had only
a full copy for that; by this checkout's; by pg_basebackup; by rsync onto the old data, which reads
the checksum of each file on both hosts first; and by pgBackRest's ``restore --delta`` from a backup
that is on the primary's host, since which another 2 % have changed. (pg_rewind finds nothing to
rewind, since the standby has not diverged.) Each begins with the same data, which cannot be
compressed. While a node is brought back, pgbench writes to the primary; its rate is compared with
its rate before, unless ``--without-clients`` is given. The bytes are those that the node's host has
received, those of the WAL that pgbench has written included. Memory is that of the largest process
of each kind.

The data is on disk, or with ``--in-memory`` not: a full copy needs three times the size there. With
``--files`` there are so many more files, in tables that are all but empty.
"""

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from bench import pgbackrest
from bench.builds import two_builds
from bench.contender import CONTENDERS, NotBroughtBack, recover
from bench.full_copy import make_tables
from bench.memory import Peaks, watching
from bench.recovery import SETTINGS, Measurement, bring_back, cell, load
from bench.side_by_side import OLDER, OURS
from bench.situation import SITUATIONS, Situation, changed, dense_table
from bench.snapshot import Snapshot
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.contents import wait_for_replay
from tests.harness.postgresql import Server
from tests.harness.proof import assert_equal
from tests.harness.site import install
from tests.harness.template import REPLICATION_USER
from tests.harness.workspace import Workspace

BEFORE = "908cf293"
"""The last commit without the method."""
WITHIN_S = 1800
PGBENCH = "pgbench"
BASELINE_S = 10
CLIENTS = ("-N", "-c", "2")
"""They write to a small table, so that what they write is little beside what the node lacks."""
KEPT = ("/pg_wal/*", "/postmaster.*", "/postgresql*.conf", "/pg_hba.conf", "/pg_ident.conf", "/log")
START = "SELECT pg_backup_start('rsync', true);"
STOP = r"SELECT labelfile FROM pg_backup_stop(false) \g (format=unaligned tuples_only=on) {}"
BASE_BACKUP, RSYNC = "pg_basebackup", "rsync"


@dataclass
class Result:
    """What was measured of one contender."""

    measured: list[Measurement] = field(default_factory=list)
    load_ratios: list[float] = field(default_factory=list)
    peaks: Peaks = field(default_factory=Peaks)


def main() -> None:
    """Build a cluster with data once, and measure."""
    options = _options()
    has_repository = pgbackrest.NAME in options.contender
    archiving = {"archive_mode": "on", "archive_command": "true"} if has_repository else {}
    plan = ClusterPlan(
        postgresql_major=options.major,
        settings=SETTINGS | archiving,
        initdb_options=("--data-checksums",),
    )
    [stale] = [one for one in SITUATIONS if one.name == "stale standby, WAL gone"]
    results = {name: Result() for name in options.contender}
    with (
        two_builds(BEFORE) as builds,
        Workspace() as workspace,
        cluster_on_hosts(workspace, plan, on_disk=not options.in_memory) as cluster,
    ):
        make_tables(cluster.primary, options.files)
        load(cluster, *dense_table(options.gigabytes))
        install(cluster, builds[OURS])
        _pgbench(cluster.primary, "-i", "-s", "2", "-q")
        if has_repository:
            for server in cluster.servers:
                server.set(**pgbackrest.ARCHIVING)
            pgbackrest.back_up(cluster)
            cluster.primary.execute(changed(2))
            wait_for_replay(cluster.node(1), cluster.primary.wal_position(), within_s=WITHIN_S)
        snapshot = Snapshot(cluster, workspace.make("snapshot"))
        if has_repository:  # Not before: a server archives its last WAL when it is shut down.
            pgbackrest.keep(cluster)
        print(
            f"PostgreSQL {options.major}, {snapshot.pretty_size:.0f} MB, {options.rate:g} Mbit/s, "
            f"medians of {options.repeat}",
            flush=True,
        )
        for _ in range(options.repeat):
            for name, result in results.items():
                _reset(cluster, snapshot, has_repository=has_repository)
                if name in builds:
                    install(cluster, builds[name])
                _measure(cluster, stale, name, result, options)
                if options.prove and result.measured[-1].failure is None:
                    assert_equal(cluster, 1)
    _report(results)


def _reset(cluster: Cluster, snapshot: Snapshot, *, has_repository: bool) -> None:
    """Begin anew; the servers must not archive anything in between."""
    if cluster.pgpool.is_running:
        cluster.pgpool.stop()
    for server in cluster.servers:
        server.kill()
    if has_repository:
        pgbackrest.reset(cluster)
    snapshot.restore()


def _measure(
    cluster: Cluster,
    situation: Situation,
    name: str,
    result: Result,
    options: argparse.Namespace,
) -> None:
    """Take the node down, and bring it back in one way, under load."""
    machines = [server.machine for server in cluster.servers]
    with ExitStack() as meanwhile:
        before = None
        if not options.without_clients:
            before = _rate(_pgbench(cluster.primary, *CLIENTS, "-T", str(BASELINE_S)))
        node_id = situation.arrange(cluster)
        cluster.pgpool.wait_for_node(node_id, "down")
        if name == pgbackrest.NAME:
            pgbackrest.archive(cluster)
        if before is not None:
            meanwhile.enter_context(_under_load(cluster.primary, before, result.load_ratios))
        meanwhile.enter_context(watching(machines, result.peaks))
        one = bring_back(cluster, node_id, WAYS[name], options.rate)
    result.measured.append(one)
    clients = f", clients at {result.load_ratios[-1]:.2f}" if result.load_ratios else ""
    print(f"  {name}: {cell([one])}{clients} {one.failure or ''}", file=sys.stderr, flush=True)


@contextmanager
def _under_load(primary: Server, before: float, ratios: list[float]) -> Iterator[None]:
    """Write to the primary meanwhile; add how fast that was in relation to before."""
    log = primary.machine.home / "pgbench.log"
    primary.machine.run(["rm", "-f", str(log)])
    argv = [*_pgbench_argv(primary), *CLIENTS, "-T", str(WITHIN_S), "-P", "1"]
    running = primary.machine.spawn(argv, log=log)
    began = time.monotonic()
    try:
        yield
    finally:
        took_s = int(time.monotonic() - began)
        running.kill_group()
        running.wait(20)
    said = primary.machine.path(log).read_text()
    rates = [float(rate) for rate in re.findall(r"progress: .* s, ([\d.]+) tps", said)][:took_s]
    if rates:
        ratios.append(statistics.mean(rates) / before)


def _pgbench_argv(primary: Server) -> list[str]:
    program = str(primary.installation.program(PGBENCH))
    socket = str(primary.machine.socket_directory)
    return [program, "-h", socket, "-p", str(primary.port), "-U", "postgres", "-n", "postgres"]


def _pgbench(primary: Server, *arguments: str) -> str:
    return primary.machine.run([*_pgbench_argv(primary), *arguments], timeout_s=WITHIN_S).output


def _rate(said: str) -> float:
    found = re.search(r"tps = ([\d.]+)", said)
    if found is None:
        raise NotBroughtBack(said)
    return float(found[1])


def _rsync(cluster: Cluster, primary: Server, node: Server) -> float:
    """Copy the files onto the old ones within a backup, as careful scripts do."""
    source, target = f"{primary.data_directory}/", f"{node.data_directory}/"
    label = node.machine.home / "label"
    excluded = [word for pattern in KEPT for word in ("--exclude", pattern)]
    words = ["rsync", "--archive", "--delete", "--inplace", "--no-whole-file", "--checksum"]
    copy = [
        *words,
        *excluded,
        "-e",
        "ssh -o BatchMode=yes",
        source,
        f"{node.machine.name}:{target}",
    ]
    script = f"{START}\n\\! {' '.join(_quoted(word) for word in copy)}\n{STOP.format(label)}\n"
    psql = [str(primary.installation.program("psql")), "-X", "-v", "ON_ERROR_STOP=1"]
    where = ["-h", str(primary.machine.socket_directory), "-p", str(primary.port), "-d", "postgres"]
    done = primary.machine.run([*psql, *where], stdin=script, timeout_s=WITHIN_S, check=False)
    if done.returncode != 0 or "rsync error" in done.output:
        raise NotBroughtBack(done.output)
    text = primary.machine.path(label).read_text()
    data = node.data_directory
    node.machine.run(["sh", "-c", f"rm -f {data}/pg_wal/0* {data}/backup_label.old"])
    node.machine.write_file(data / "backup_label", text)
    node.machine.write_file(data / "standby.signal", "")
    conninfo = primary.conninfo(REPLICATION_USER, application_name=node.name)
    with node.machine.path(data / "postgresql.auto.conf").open("a") as file:
        file.write(f"primary_conninfo = '{conninfo}'\nprimary_slot_name = ''\n")
    node.start()
    cluster.pgpool.pcp("pcp_attach_node", "-n", str(node.node_id))
    return time.monotonic()


def _quoted(word: str) -> str:
    return f"'{word}'"


WAYS = {
    OLDER: recover,
    OURS: recover,
    RSYNC: _rsync,
    pgbackrest.NAME: pgbackrest.restore,
    **{one.name: one.bring_back for one in CONTENDERS if one.name == BASE_BACKUP},
}


def _report(results: dict[str, Result]) -> None:
    for name, result in results.items():
        notes = [f"{kind} {size / 1e6:.0f} MB" for kind, size in result.peaks.of.items()]
        if result.load_ratios:
            ratio = statistics.median(result.load_ratios)
            notes.insert(0, f"clients at {ratio:.2f} of their rate")
        print(f"{name:14} {cell(result.measured):26} {', '.join(notes)}")
        for failure in {one.failure for one in result.measured if one.failure}:
            print(f"  failed: {failure}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.delta", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--major", type=int, default=15, help="PostgreSQL major, 15 or later")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="amount of data")
    parser.add_argument("--files", type=int, default=0, help="number of further, small files")
    parser.add_argument("--in-memory", action="store_true", help="keep the data in memory")
    parser.add_argument(
        "--without-clients", action="store_true", help="let nobody write to the primary meanwhile"
    )
    parser.add_argument("--rate", type=float, default=1000, help="rate of the link, in Mbit/s")
    parser.add_argument("--repeat", type=int, default=3, help="number of measurements of each")
    parser.add_argument("--contender", nargs="+", default=[*WAYS], choices=[*WAYS])
    parser.add_argument(
        "--prove", action="store_true", help="prove that the node equals the primary"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
