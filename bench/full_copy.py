"""Compare full copies as an agent makes them: ``python -m bench.full_copy``.

A primary is copied on its own host, in turn, by an earlier build, by this checkout, by
pg_basebackup, and by pg_basebackup with pg_verifybackup after it. For each are shown the seconds,
what it read from and wrote to the disk, the processor time of the target's side and of the
primary's, and the peak of its memory. Before each copy the page cache is dropped. What
pg_verifybackup reads is still in it unless ``--gigabytes`` is more than the memory of the machine.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

from bench.builds import two_builds
from bench.side_by_side import OLDER, OURS, in_turn
from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.local_host import LocalHost
from tests.harness.postgresql import Server
from tests.harness.template import SUPERUSER
from tests.harness.workspace import Workspace

BEFORE = "908cf293"
SLOT = "pgpool_node_1"
ROWS_PER_GB = 2_300_000
FILES_PER_TABLE = 4  # Its heap, its TOAST table with an index, and the index of its key.
EMPTY = "CREATE TABLE filler (g int, filler text)"
FILL = """
    INSERT INTO filler SELECT g, md5(g::text) || repeat(md5((7 * g)::text), 12)
      FROM generate_series({first}, {last}) AS g"""
TABLES = """
    SELECT format('CREATE TABLE t%s (x text PRIMARY KEY)', g)
      FROM generate_series({first}, {last}) AS g"""
ROWS_AT_ONCE, TABLES_AT_ONCE = 200_000, 500
MEASURE = """
import json, os, resource, subprocess, sys, time
began = time.monotonic()
for argv in json.loads(sys.argv[1]):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
seconds = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_inblock * 512,
                  used.ru_oublock * 512, used.ru_maxrss * 1024]))
"""
COPY = """
import inspect, json, sys
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.host.stop import Stop
try:
    from pgpool_recovery.facts.step.place import Place, Places
    from pgpool_recovery.facts.step.transfer import CopyBaseBackup
except ImportError:
    from pgpool_recovery.facts.step import CopyBaseBackup, Place, Places
directory, port, bindir, sockets, slot = sys.argv[1:]
place = Place(directory + "/data", directory + "/w", is_inside=False, new=directory + "/w/new")
values = dict(bin_directory=bindir, conninfo={"host": sockets, "port": port}, slot_name=slot,
              places=Places(place, None, ()), max_rate=None, compression=None, size_bytes=1)
try:
    from pgpool_recovery.facts.step import VerifyBackup
    from pgpool_recovery.agent.method.base_backup import copy_base_backup, verify_backup
    copy_base_backup(CopyBaseBackup(**values), OwnLogin(), Stop(), print)
    verify_backup(VerifyBackup(bindir, values["places"]), Stop(), print)
except ImportError:
    from pgpool_recovery.agent.method.base_backup.copy import copy_base_backup
    from pgpool_recovery.postgres.backup_stream import StreamLimits
    step = CopyBaseBackup(**values, segment_bytes=2**24)
    copy_base_backup(step, OwnLogin(), Stop(), lambda event: None, StreamLimits())
"""


Words = list[str | PurePath]


@dataclass(frozen=True)
class Cost:
    """What one copy took; sizes in bytes."""

    seconds: float
    processor_s: float
    read_bytes: float
    written_bytes: float
    memory_bytes: float
    primary_processor_s: float


def main() -> None:
    """Print a table of medians, and write every measurement to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--older", default=BEFORE)
    parser.add_argument(
        "--directory", type=Path, help="where copies go; by default beside the data"
    )
    parser.add_argument("--json", type=Path, default=Path("full_copy.json"))
    wish = parser.parse_args()
    with two_builds(wish.older) as builds, primary(wish.gigabytes, wish.files) as server:
        directory = (wish.directory or Path(server.machine.home)) / "full_copy"
        pythons = {
            name: str(product.command.with_name("python")) for name, product in builds.items()
        }
        measured = in_turn(wish.repeat, ways(server, pythons, directory))
    wish.json.write_text(
        json.dumps({name: [asdict(cost) for cost in costs] for name, costs in measured.items()})
    )
    report(measured)


@contextmanager
def primary(gigabytes: float, files: int) -> Iterator[Server]:
    """Yield a server with so much data in so many files."""
    with Workspace() as workspace, LocalHost(workspace) as machine:
        site = Site([machine], machine, machine, machine.system.installation(None))
        plan = ClusterPlan(
            standbys=0,
            settings={"max_wal_size": "8GB", "fsync": "off", "autovacuum": "off"},
            initdb_options=("--data-checksums",),
        )
        (server,) = build_servers(workspace, plan, site)
        server.execute(EMPTY)
        rows = int(gigabytes * ROWS_PER_GB)
        for at in range(0, rows, ROWS_AT_ONCE):
            server.execute(FILL.format(first=at + 1, last=min(rows, at + ROWS_AT_ONCE)))
        make_tables(server, files)
        server.execute(f"SELECT pg_create_physical_replication_slot('{SLOT}', true); CHECKPOINT")
        yield server
        server.kill()


def make_tables(server: Server, files: int) -> None:
    """Make tables that are all but empty, and have so many files together."""
    tables = files // FILES_PER_TABLE
    for at in range(0, tables, TABLES_AT_ONCE):
        last = min(tables, at + TABLES_AT_ONCE)
        server.execute(f"{TABLES.format(first=at + 1, last=last)} \\gexec")


def ways(
    server: Server, pythons: Mapping[str, str], directory: Path
) -> dict[str, Callable[[], Cost]]:
    """Return what is measured: a function for each way to copy."""
    programs = server.installation
    sockets, port = str(server.machine.socket_directory), str(server.port)
    base: Words = [
        programs.program("pg_basebackup"),
        *("-h", sockets, "-p", port, "-U", SUPERUSER, "-c", "fast", "-D", directory / "w/new"),
    ]
    verify: Words = [programs.program("pg_verifybackup"), "-q", directory / "w/new"]

    def copy(python: str) -> Words:
        return [python, "-c", COPY, str(directory), port, str(programs.bindir), sockets, SLOT]

    commands: dict[str, list[Words]] = {
        OLDER: [copy(pythons[OLDER])],
        OURS: [copy(pythons[OURS])],
        "pg_basebackup": [base],
        "and pg_verifybackup": [base, verify],
    }
    return {
        name: lambda argvs=argvs: measure(server, directory, argvs)  # type: ignore[misc]
        for name, argvs in commands.items()
    }


def measure(server: Server, directory: Path, argvs: list[Words]) -> Cost:
    """Run programs one after another in an empty directory; return what they cost."""
    machine = server.machine
    machine.run(["rm", "-rf", directory])
    machine.make_directory(directory, mode=0o700)
    machine.make_directory(directory / "w", mode=0o700)
    server.execute("CHECKPOINT")
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    before = reaped_s(server)
    whole = json.dumps([[str(word) for word in argv] for argv in argvs])
    said = machine.run([sys.executable, "-c", MEASURE, whole], timeout_s=7200).stdout
    seconds, processor_s, read, written, memory = json.loads(said)
    return Cost(seconds, processor_s, read, written, memory, reaped_s(server) - before)


def reaped_s(server: Server) -> float:
    """Return the processor time of all server processes that have ended (proc(5))."""
    pid = int(server.machine.path(server.data_directory / "postmaster.pid").read_text().split()[0])
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def report(measured: Mapping[str, list[Cost]]) -> None:
    """Print the medians as a table."""
    print("| way | seconds | processor | of the primary | read | written | memory |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, costs in measured.items():
        found = {
            key: statistics.median(asdict(one)[key] for one in costs) for key in asdict(costs[0])
        }
        print(
            f"| {name} | {found['seconds']:.2f} s | {found['processor_s']:.2f} s "
            f"| {found['primary_processor_s']:.2f} s | {found['read_bytes'] / 1e6:.0f} MB "
            f"| {found['written_bytes'] / 1e6:.0f} MB | {found['memory_bytes'] / 1e6:.0f} MB |"
        )


if __name__ == "__main__":
    main()
