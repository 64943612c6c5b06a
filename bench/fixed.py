"""What is paid before any work begins, by two builds and the bare way: ``python -m bench.fixed``.

An earlier build and this checkout's are installed side by side, each with a cluster of its own, and
measured in turn with the least that anybody could do instead, so that whatever else the machine
does hits all of them. Medians, and ratios of them; docs/explanation/performance.md says what each
row is. The figures of every single measurement go into a JSON file.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from bench.builds import BARE, OLDER, OURS, Builds, a_site_each, two_builds
from bench.contender import recover, rewind, start_and_attach
from bench.failover import pause_s
from bench.processor import used_s
from bench.recovery import SETTINGS, Measurement, bring_back, load
from bench.situation import diverged
from bench.snapshot import Snapshot
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.machine import SEARCH_PATH
from tests.harness.site import on_hosts, wait_for_no_agent
from tests.hooks.site import site_with_hooks
from tests.operator.site import Site, site_on_hosts

T = TypeVar("T")
REQUEST = b'{"is": "IsTidy", "data_directory": "/nowhere"}\n'
ANSWER = b'"is": "Answer"'
ENVIRONMENT = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}
"""In another locale the command begins once more, in UTF-8 (cli/locale.py)."""
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


@dataclass(frozen=True)
class Row:
    """One thing that is measured, with all that was measured of it by each way."""

    what: str
    unit: str
    values: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Lab:
    """What there is to measure with."""

    builds: Builds
    sites: Mapping[str, Site]
    options: argparse.Namespace


def in_turn(times: int, ways: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Measure one way after the other, that many times; a first round warms up and is left out."""
    rounds: list[dict[str, T]] = []
    for _ in range(times + 1):
        rounds.append({name: measure() for name, measure in ways.items()})
        print(rounds[-1], file=sys.stderr, flush=True)
    return {name: [one[name] for one in rounds[1:]] for name in ways}


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
    names = ("agent: its greeting", "agent: its first answer")
    return [
        Row(what, "ms", {name: [one[i] for one in values] for name, values in measured.items()})
        for i, what in enumerate(names)
    ]


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
            assert agent.stdin is not None  # noqa: S101 - it was asked for
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
    """Measure `status`, and what of it is not its questions, which a second call has as well."""
    measured = in_turn(
        lab.options.repeat, {name: _status_of(site) for name, site in lab.sites.items()}
    )
    names = ("pgpool-recovery status", "… beyond its second call in one process")
    return [
        Row(what, "ms", {name: [one[i] for one in values] for name, values in measured.items()})
        for i, what in enumerate(names)
    ]


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

    def take_back(name: str, command: Callable[..., float]) -> Callable[[], tuple[float, ...]]:
        return lambda: _stopped(lab, _cluster(lab, name), command)

    ways = {OLDER: recover, OURS: recover, BARE: start_and_attach}
    measured = in_turn(
        lab.options.repeat, {name: take_back(name, command) for name, command in ways.items()}
    )
    names = ("stopped standby: until it streams", "… until the command ends", "… CPU")
    return [
        Row(what, "s", {name: [one[i] for one in values] for name, values in measured.items()})
        for i, what in enumerate(names)
    ]


def _cluster(lab: Lab, name: str) -> Cluster:
    return lab.sites[OURS if name == BARE else name].cluster


def _stopped(lab: Lab, cluster: Cluster, command: Callable[..., float]) -> tuple[float, ...]:
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
        load(site.cluster, lab.options.gigabytes)
        snapshots[name] = Snapshot(site.cluster, lab.builds[name].workspace.make("snapshot"))

    def take_back(name: str, command: Callable[..., float]) -> Callable[[], Measurement]:
        def measure() -> Measurement:
            cluster = _cluster(lab, name)
            snapshots[OURS if name == BARE else name].restore()
            node_id = diverged(cluster)
            cluster.pgpool.wait_for_node(node_id, "down")
            cluster.pgpool.wait_until_settled()
            return _good(bring_back(cluster, node_id, command, lab.options.rate))

        return measure

    ways = {OLDER: recover, OURS: recover, BARE: rewind}
    measured = in_turn(
        lab.options.repeat_rewind,
        {name: take_back(name, command) for name, command in ways.items()},
    )
    names = (("until it streams", "s", "seconds"), ("… received", "MB", "megabytes"))
    return [
        Row(
            what if what[0] == "…" else f"diverged ex-primary: {what}",
            unit,
            {name: [getattr(one, field) for one in values] for name, values in measured.items()},
        )
        for what, unit, field in names
    ]


def failover(lab: Lab) -> list[Row]:
    """Measure the longest pause of a client when the primary is lost."""
    ours = lab.builds[OURS]
    with ExitStack() as stack:
        sites = stack.enter_context(a_site_each(lab.builds, site_with_hooks, HOOKS_PLAN))
        clusters = {name: site.cluster for name, site in sites.items()}
        clusters[BARE] = stack.enter_context(on_hosts(ours.workspace, ours, HOOKS_PLAN))
        numbers = iter(range(1 << 30))

        def lose(cluster: Cluster) -> Callable[[], float]:
            return lambda: pause_s(cluster, next(numbers))

        values = in_turn(
            lab.options.repeat, {name: lose(cluster) for name, cluster in clusters.items()}
        )
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


def table(rows: Sequence[Row], older: str) -> str:
    """Return a table in Markdown: medians, ratios to the earlier build and to the bare way."""
    head = ["what", older, "this checkout", "of that", "the bare way", "times that"]
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *map(_cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Row) -> list[str]:
    """Return what the table has of a row.

    >>> _cells(Row("this", "s", {"older": [4.0, 5.0, 4.4], "ours": [2.2], "bare": [2.0]}))
    ['this', '4.40 s', '2.20 s', '0.50', '2.00 s', '1.10']
    >>> _cells(Row("that", "ms", {"older": [400.0], "ours": [100.0]}))
    ['that', '400 ms', '100 ms', '0.25', '', '']
    """
    older, ours, bare = (
        statistics.median(row.values.get(name) or [float("nan")]) for name in (OLDER, OURS, BARE)
    )
    digits = 0 if row.unit in ("ms", "MB") else 2
    cells = [f"{older:.{digits}f} {row.unit}", f"{ours:.{digits}f} {row.unit}"]
    cells += [f"{ours / older:.2f}", f"{bare:.{digits}f} {row.unit}", f"{ours / bare:.2f}"]
    return [row.what, *("" if "nan" in cell else cell for cell in cells)]


def main() -> None:
    """Measure the parts that are wanted, and print the table."""
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
    parser.add_argument("--only", type=lambda text: text.split(","), default=parts, help="parts")
    parser.add_argument("--older", default="2ba9e60", help="the commit of the earlier build")
    parser.add_argument("--repeat", type=int, default=9, help="times each is measured")
    parser.add_argument("--repeat-rewind", type=int, default=5, help="likewise, of the rewind")
    parser.add_argument("--rate", type=float, default=1000, help="of the link, in Mbit/s")
    parser.add_argument("--gigabytes", type=float, default=1.4, help="of data, for the rewind")
    parser.add_argument("--json", type=Path, default=Path("fixed.json"), help="file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
