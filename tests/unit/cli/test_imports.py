"""What each entry point loads before its work begins: that takes time.

With `--help` a person waits for it, with a failover every client that writes.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.main import STAGES

PACKAGE = "pgpool_recovery"
LOADED = """
import sys
before = set(sys.modules)
from pgpool_recovery.cli import main as program
program.load_the_rest_later = lambda: None  # It begins later than all that is measured here.
try:
    program.main()
finally:
    print("loaded:", *sorted(set(sys.modules) - before))
"""
SLOW = frozenset(
    {
        *("argparse", "difflib", "json", "tomllib", "pathlib", "tempfile", "traceback", "logging"),
        *("dataclasses", "inspect", "importlib.metadata", "importlib.resources", "email"),
        *("asyncio", "concurrent.futures", "socket", "ssl", "subprocess"),
    }
)
"""Modules of the standard library that take a millisecond or more, or import one that does."""
SQL = frozenset({"psycopg", "typing_extensions"})
NODES = """\
[node.0]
host = "{directory}"
port = 1
data_directory = "/data"
"""
NODE_IS_DOWN = "0 {directory} 1 /data 1 {directory} 0 0 2 /data {directory} 1"


class Loaded(NamedTuple):
    """What a process has loaded: our packages, and modules of others."""

    rooms: frozenset[str]
    modules: frozenset[str]

    @property
    def libraries(self) -> frozenset[str]:
        """Packages that are neither ours nor Python's own."""
        names = {name.partition(".")[0] for name in self.modules}
        return frozenset(
            name for name in names - sys.stdlib_module_names if not name.startswith("_sysconfig")
        )

    @property
    def slow(self) -> frozenset[str]:
        """Modules of Python itself that are slow to load."""
        return self.modules & SLOW


def loaded(words: list[str], settings: Path | None = None) -> Loaded:
    """Run a command as its users do, and return what it has loaded at its end."""
    named = {} if settings is None else {"PGPOOL_RECOVERY_CONFIG": str(settings)}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        env={**os.environ, "PYTHONUTF8": "1", **named},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    names = done.stdout.rpartition("loaded: ")[2].split()
    assert f"{PACKAGE}.cli.main" in names, done.stderr
    ours = [name for name in names if name.startswith(PACKAGE)]
    logs = {name for name in ours if name.startswith(f"{PACKAGE}.log.")}
    assert logs <= {f"{PACKAGE}.log.note"}, "the log is off"
    rooms = frozenset(name.split(".")[1] for name in ours if "." in name) - {"log"}
    return Loaded(rooms, frozenset(names) - frozenset(ours))


HELP = [["--help"], ["--version"], [], *([name, "--help"] for name in COMMANDS)]


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_loads_its_texts_alone(words: list[str]) -> None:
    found = loaded(words)
    assert found.rooms <= {"cli", "log", "domain"}
    assert found.libraries == frozenset()
    assert found.slow == frozenset()


@pytest.mark.parametrize("words", ["recov", "status --port x", "plan", "recover --jsn"])
def test_wrong_words_load_no_command(words: str) -> None:
    found = loaded(words.split())
    assert found.rooms <= {"cli", "log", "domain"}
    assert found.libraries == frozenset()
    assert found.slow <= {"difflib", "json"}


@pytest.mark.parametrize("hook", ["failover", "follow_primary"])
@pytest.mark.parametrize("words", ["", "x", "-1 " * 12], ids=["none", "one", "twelve"])
def test_hook_with_wrong_words_loads_nothing_to_fail_over(hook: str, words: str) -> None:
    found = loaded([hook, *words.split()])
    assert found.rooms <= {"cli", "hooks", "log", "domain"}
    assert found.libraries == frozenset()
    assert found.slow == frozenset()


@pytest.mark.parametrize("stage", STAGES)
def test_stage_with_wrong_words_loads_nothing_to_recover(stage: str) -> None:
    found = loaded([stage])
    assert found.rooms <= {
        *("cli", "config", "talk", "run", "facts", "ssh", "files"),
        "log",
        "domain",
    }
    assert found.libraries == frozenset()
    assert found.slow <= {"json", "pathlib", "socket", "subprocess"}


def test_failover_loads_no_more_than_its_way_to_the_servers(tmp_path: Path) -> None:
    """That is the PCP client and psycopg, but nothing for people or for a recovery."""
    settings = _settings(tmp_path)
    found = loaded(["failover", *NODE_IS_DOWN.format(directory=tmp_path).split()], settings)
    assert found.rooms <= {
        *("cli", "hooks", "control", "config", "pcp", "postgres"),
        *("plan", "facts", "ssh", "files", "log", "domain"),
    }
    assert found.libraries == SQL
    assert not {"getopt", "argparse", "difflib"} & found.modules


@pytest.mark.parametrize("words", ["status", "plan 0", "check", "watch", "cancel 0", "history"])
def test_command_that_asks_servers_loads_psycopg_and_no_more(words: str, tmp_path: Path) -> None:
    found = loaded([*words.split(), "--without-pgpool"], _settings(tmp_path))
    assert found.libraries == SQL
    assert not {"agent", "talk", "host", "run", "observe"} & found.rooms


@pytest.mark.parametrize("words", ["attach 0", "recover 0"])
def test_psycopg_is_loaded_when_there_is_a_server_to_ask(words: str, tmp_path: Path) -> None:
    """Not before: here there is no Pgpool-II that could name a server."""
    found = loaded([*words.split(), "--host", str(tmp_path)])
    assert found.libraries == frozenset()


def test_agent_loads_neither_psycopg_nor_what_people_see() -> None:
    found = loaded(["agent"])
    assert not {"psycopg", "rich"} & found.libraries
    assert not {"control", "hooks", "run", "observe", "pcp", "check"} & found.rooms


GOES_ON = """
import sys
from pgpool_recovery.cli import main, stage
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import Target
from pgpool_recovery.history.record import Stage
from pgpool_recovery.run import proven_stream

proven_stream.still_streams = lambda *_: True
target = Target("server2", "/data")
handed_on = '{"proven": {"host": "server2", "data_directory": "/data", "walsender": "7 since 1"}}'
stage._go_on(target, Settings(), lambda: Stage(target, leads_to="recovered"), handed_on)
print("loaded:", *sorted(sys.modules))
"""


def test_remote_start_that_goes_on_loads_nothing_to_talk_to_an_agent() -> None:
    """It asks the primary alone: here there is none, so nothing is on record, either."""
    done = subprocess.run(
        [sys.executable, "-c", GOES_ON],
        env={**os.environ, "PGHOST": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "it still streams" in done.stdout, done.stderr
    names = set(done.stdout.rpartition("loaded: ")[2].split())
    rooms = {name.split(".")[1] for name in names if name.startswith(f"{PACKAGE}.")}
    assert not {"agent", "observe", "verify", "host", "remote_start"} & rooms
    assert not {f"{PACKAGE}.talk.conversation", f"{PACKAGE}.talk.protocol"} & names


def _settings(directory: Path) -> Path:
    file = directory / "settings.toml"
    file.write_text(NODES.format(directory=directory))
    return file
