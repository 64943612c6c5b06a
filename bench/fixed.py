"""Measure the fixed costs of two builds and of the bare way: ``python -m bench.fixed``.

An earlier build and this checkout's are installed side by side, each with its own cluster. They are
measured in turn, together with the least that could be done instead, so that whatever else the
machine does affects all of them. The output is medians and their ratios;
docs/explanation/performance.md describes each row. The figures of every single measurement are
written to a JSON file.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path

from bench.builds import Builds, a_site_each, two_builds
from bench.contender import recover, rewind, start_and_attach
from bench.failover import pause_s
from bench.processor import used_s
from bench.recovery import SETTINGS, Measurement, bring_back, load
from bench.side_by_side import BARE, OLDER, OURS, Row, in_turn, rows_of, table
from bench.situation import diverged
from bench.situation import table as big_table
from bench.snapshot import Snapshot
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.machine import SEARCH_PATH
from tests.harness.postgresql import Server
from tests.harness.site import on_hosts, wait_for_no_agent
from tests.hooks.site import site_with_hooks
from tests.operator.site import Site, site_on_hosts

REQUEST = b'{"is": "IsTidy", "data_directory": "/nowhere"}\n'
ANSWER = b'"is": "Answer"'
ENVIRONMENT = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}
"""In another locale the command would restart itself in UTF-8 (cli/locale.py)."""
WARM = """
import io, sys, time
from contextlib import redirect_stdout
from pgpool_recovery.cli.main import main
for _ in range(2):
    began = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        main(sys.argv[1:])
print(time.perf_counter() - began)
"""
PLAN = ClusterPlan(settings=SETTINGS, initdb_options=("--data-checksums",))
HOOKS_PLAN = ClusterPlan(settings={"wal_log_hints": "on"})


Command = Callable[[Cluster, Server, Server], float]


@dataclass(frozen=True)
class Lab:
    """The builds, clusters and options to measure with."""

    builds: Builds
    sites: Mapping[str, Site]
    options: argparse.Namespace


def words_of_help(lab: Lab) -> list[Row]:
    """Measure `--help`."""
    return [_of_command(lab, "--help")]


def words_of_version(lab: Lab) -> list[Row]:
    """Measure `--version`."""
    return [_of_command(lab, "--version")]


def _of_command(lab: Lab, word: str) -> Row:
    ways = {name: _running(build.command, word) for name, build in lab.builds.items()}
    bare = _running(_python(lab.builds[OURS].command), "-c", "pass")
    return Row(f"pgpool-recovery {word}", "ms", in_turn(lab.options.repeat, ways | {BARE: bare}))


def _python(command: Path) -> Path:
    return command.with_name("python")


def _running(*argv: object) -> Callable[[], float]:
    def took_ms() -> float:
        began = time.perf_counter()
        subprocess.run(list(map(str, argv)), check=True, capture_output=True, env=ENVIRONMENT)
        return 1000 * (time.perf_counter() - began)

    return took_ms


def first_answer(lab: Lab) -> list[Row]:
    """Measure the agent from its start to its greeting, and to the answer to a first request."""
    ways = {name: _greeting_and_answer(build.command) for name, build in lab.builds.items()}
    measured = in_turn(lab.options.repeat, ways)
    return rows_of(measured, ("agent: its greeting", "ms"), ("agent: its first answer", "ms"))


def _greeting_and_answer(command: Path) -> Callable[[], tuple[float, float]]:
    def took_ms() -> tuple[float, float]:
        began = time.perf_counter()
        with subprocess.Popen(
            [command, "agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user="postgres",
            env=ENVIRONMENT,
        ) as agent:
            assert agent.stdin is not None  # noqa: S101 - it was requested
            assert agent.stdout is not None  # noqa: S101 - likewise
            agent.stdin.write(REQUEST)
            agent.stdin.flush()
            agent.stdout.readline()
            greeted_at = time.perf_counter()
            answer = agent.stdout.readline()
            answered_at = time.perf_counter()
            agent.stdin.close()
        if ANSWER not in answer or b'"failure": {' in answer:
            raise ValueError(f"{REQUEST!r} is not answered: {answer!r}")
        return 1000 * (greeted_at - began), 1000 * (answered_at - began)

    return took_ms


def status(lab: Lab) -> list[Row]:
    """Measure `status`, and the part of it that is not its queries, which a second call shares."""
    ways = {name: _status_of(site) for name, site in lab.sites.items()}
    return rows_of(
        in_turn(lab.options.repeat, ways),
        ("pgpool-recovery status", "ms"),
        ("… beyond its second call in one process", "ms"),
    )


def _status_of(site: Site) -> Callable[[], tuple[float, float]]:
    machine = site.cluster.pgpool.machine
    warm = [str(_python(Path(site.command))), "-c", WARM, "status"]

    def took_ms() -> tuple[float, float]:
        began = time.perf_counter()
        machine.run([site.command, "status"], env=site.environment)
        all_ms = 1000 * (time.perf_counter() - began)
        asking_ms = 1000 * float(machine.run(warm, env=site.environment).stdout)
        return all_ms, all_ms - asking_ms

    return took_ms


def stopped(lab: Lab) -> list[Row]:
    """Measure a stopped standby that has nothing to catch up with."""
    commands = {OLDER: recover, OURS: recover, BARE: start_and_attach}
    ways = {
        name: partial(_stopped, lab, _cluster(lab, name), command)
        for name, command in commands.items()
    }
    return rows_of(
        in_turn(lab.options.repeat, ways),
        ("stopped standby: until it streams", "s"),
        ("… until the command ends", "s"),
        ("… CPU", "s"),
    )


def _cluster(lab: Lab, name: str) -> Cluster:
    return lab.sites[OURS if name == BARE else name].cluster


def _stopped(lab: Lab, cluster: Cluster, command: Command) -> tuple[float, ...]:
    node, hosts = cluster.node(1), [cluster.host(0), cluster.host(1)]
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    cluster.pgpool.wait_until_settled()
    before_s = used_s(hosts)
    one = _good(bring_back(cluster, 1, command, lab.options.rate))
    for server in cluster.servers:
        wait_for_no_agent(server)
    cpu_s = used_s(hosts, without=node) - before_s
    cluster.pgpool.wait_for_node(1, "up")
    return one.seconds, one.command_s, cpu_s


def _good(one: Measurement) -> Measurement:
    if one.failure is not None:
        raise RuntimeError(one.failure)
    return one


def rewound(lab: Lab) -> list[Row]:
    """Measure an ex-primary that has diverged."""
    snapshots = {}
    for name, site in lab.sites.items():
        load(site.cluster, big_table(lab.options.gigabytes))
        snapshots[name] = Snapshot(site.cluster, lab.builds[name].workspace.make("snapshot"))
    commands = {OLDER: recover, OURS: recover, BARE: rewind}
    snapshots[BARE] = snapshots[OURS]
    ways = {
        name: partial(_rewound, lab, _cluster(lab, name), snapshots[name], command)
        for name, command in commands.items()
    }
    return rows_of(
        in_turn(lab.options.repeat_rewind, ways),
        ("diverged ex-primary: until it streams", "s"),
        ("… until the command ends", "s"),
        ("… received", "MB"),
    )


def _rewound(lab: Lab, cluster: Cluster, snapshot: Snapshot, command: Command) -> tuple[float, ...]:
    snapshot.restore()
    node_id = diverged(cluster)
    cluster.pgpool.wait_for_node(node_id, "down")
    cluster.pgpool.wait_until_settled()
    one = _good(bring_back(cluster, node_id, command, lab.options.rate))
    return one.seconds, one.command_s, one.pretty_size


def failover(lab: Lab) -> list[Row]:
    """Measure the longest pause of a client when the primary is lost."""
    ours = lab.builds[OURS]
    with ExitStack() as stack:
        sites = stack.enter_context(a_site_each(lab.builds, site_with_hooks, HOOKS_PLAN))
        clusters = {name: site.cluster for name, site in sites.items()}
        clusters[BARE] = stack.enter_context(on_hosts(ours.workspace, ours, HOOKS_PLAN))
        numbers = count()
        ways = {
            name: lambda cluster=cluster: pause_s(cluster, next(numbers))
            for name, cluster in clusters.items()
        }
        values = in_turn(lab.options.repeat, ways)
    return [Row("failover: longest pause of a client", "s", values)]


PARTS: Mapping[str, Callable[[Lab], list[Row]]] = {
    "help": words_of_help,
    "version": words_of_version,
    "answer": first_answer,
    "status": status,
    "stopped": stopped,
    "rewind": rewound,
    "failover": failover,
}
ON_CLUSTERS = {"status", "stopped", "rewind"}


def main() -> None:
    """Measure the requested parts, and print the table."""
    options = _options()
    wanted = [name for name in PARTS if name in options.only]
    rows: list[Row] = []
    with ExitStack() as stack:
        builds = stack.enter_context(two_builds(options.older))
        sites = (
            stack.enter_context(a_site_each(builds, site_on_hosts, PLAN))
            if ON_CLUSTERS & {*wanted}
            else {}
        )
        lab = Lab(builds, sites, options)
        for name in wanted:
            measured = PARTS[name](lab)
            print(table(measured, options.older), file=sys.stderr, flush=True)
            rows += measured
    print(table(rows, options.older))
    document = {
        "older": options.older,
        "machine": f"{os.cpu_count()} cores, {platform.platform()}",
        "python": platform.python_version(),
        "rate_mbit": options.rate,
        "rows": [asdict(row) for row in rows],
    }
    options.json.write_text(json.dumps(document, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.fixed", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parts = ",".join(PARTS)
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=parts, help="parts to measure"
    )
    parser.add_argument("--older", default="2ba9e60", help="the commit of the earlier build")
    parser.add_argument("--repeat", type=int, default=9, help="number of measurements of each")
    parser.add_argument(
        "--repeat-rewind", type=int, default=5, help="number of measurements of the rewind"
    )
    parser.add_argument("--rate", type=float, default=1000, help="rate of the link, in Mbit/s")
    parser.add_argument(
        "--gigabytes", type=float, default=1.4, help="amount of data for the rewind"
    )
    parser.add_argument("--json", type=Path, default=Path("fixed.json"), help="file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
