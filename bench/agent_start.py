"""Measure the start of an agent: ``python -m bench.agent_start SOURCE SOURCE``.

Each SOURCE is the `src` directory of a build. Their agents are started in turn, so that whatever
else the machine does affects all of them. They are started as by ssh: with pipes, and the command
that ssh would give to the login shell. The requests are the first ones that a recovery sends for a
stopped standby.
"""

import json
import os
import pwd
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.talk.protocol import Request
from pgpool_recovery.talk.request.directory import IsTidy, Observe, Tidy
from pgpool_recovery.talk.wire import encode_request

TIMES = 15
USER = "postgres"
PROGRAM = """
import sys
sys.path.insert(0, {source!r})
from pgpool_recovery.cli.main import main
sys.argv[1:] = ["agent"]
sys.exit(main())
"""
WHAT = ("greeting", "answer to IsTidy", "answers to Tidy and Observe", "CPU of all that")


def main() -> None:
    """Print medians in milliseconds, and their ratio to those of the first build."""
    sources = [str(Path(word).resolve()) for word in sys.argv[1:]]
    with stopped_standby() as (data, programs):
        requests = asked(data, programs)
        rows: dict[str, list[tuple[float, ...]]] = {source: [] for source in sources}
        for _ in range(TIMES + 1):
            for source in sources:
                rows[source].append(measured(source, requests))
    for column, what in enumerate(WHAT):
        medians = [statistics.median(row[column] for row in rows[source][1:]) for source in sources]
        told = ", ".join(f"{one:.0f} ms ({one / medians[0]:.2f})" for one in medians)
        print(f"{what}: {told}")


@contextmanager
def stopped_standby() -> Iterator[tuple[str, str]]:
    """Yield a data directory that looks like a standby's, and the directory of its programs."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    user = pwd.getpwnam(USER)
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, user.pw_uid, user.pw_gid)
        data = Path(directory) / "data"
        subprocess.run(
            [programs / "initdb", "-D", data], user=USER, group=user.pw_gid, check=True, stdout=-3
        )
        (data / "standby.signal").touch()
        yield str(data), str(programs)


def asked(data: str, programs: str) -> tuple[list[Request], list[Request]]:
    """Return the first requests and the later ones, without the runner's own first line."""
    observe = Observe(data, int(Path(programs).parts[-2]), (programs,), (), {}, None, (), 2**24)
    return [IsTidy(data)], [Tidy(data), observe]


def measured(source: str, requests: tuple[list[Request], list[Request]]) -> tuple[float, ...]:
    """Return the milliseconds of one conversation, in the order of WHAT."""
    before, began = spent_ms(), time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(source=source)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=USER,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
    ) as agent:
        assert agent.stdin is not None  # noqa: S101 - it was requested
        assert agent.stdout is not None  # noqa: S101
        told = [next_of(agent.stdout, "Greeting", began)]
        for some in requests:
            agent.stdin.write(b"".join(map(encode_request, some)))
            agent.stdin.flush()
            told.append([next_of(agent.stdout, "Answer", began) for _ in some][-1])
        agent.stdin.close()
        agent.stdout.read()
    return (*told, spent_ms() - before)


def next_of(lines: Iterator[bytes], what: str, began: float) -> float:
    """Wait for a message of this kind; return how many milliseconds have passed."""
    message = next(message for message in map(json.loads, lines) if message["is"] == what)
    if message.get("failure") is not None:
        raise SystemExit(f"the agent has failed: {message}")
    return 1000 * (time.perf_counter() - began)


def spent_ms() -> float:
    """Return the CPU time of the children that have ended, including their own children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main()
