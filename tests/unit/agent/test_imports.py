"""What an agent has imported when it greets, and when it has answered.

Each recovery pays for that, twice. What is imported ahead, in a thread, is another matter.
"""

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

PROGRAM = """
import json, os, sys
from pgpool_recovery.cli import main
from pgpool_recovery.agent import serve
from pgpool_recovery.talk.protocol import Answer, Greeting
from pgpool_recovery.talk.request.directory import IsTidy, Observe

told, ahead = [], []
def note(_agent, message):
    told.append(sorted(sys.modules))
    if isinstance(message, Greeting):
        from pgpool_recovery.agent.answers import answers
        answers.import_ahead = ahead.append
    elif isinstance(message, Answer) and message.failure is not None:
        raise AssertionError(message)
serve.Agent._send = note
requests, _kept_open = os.pipe()
agent = serve.Agent(requests, 1)
for request in (IsTidy(sys.argv[1]), Observe(sys.argv[1], 15, (), (), {}, None, (), 2**24), None):
    agent._queue.put(request)
agent.serve()
print(json.dumps([told, ahead]))
"""
HEAVY = {
    "asyncio",
    "cattrs",
    "cyclopts",
    "dataclasses",
    "importlib.resources",
    "inspect",
    "psycopg",
    "rich",
    "secrets",
}
POOLS = {"concurrent", "logging", "traceback"}
"""What comes with the threads that ask for several values at once."""
MESSAGES = ("domain", "facts", "talk", "ssh")
"""Rooms of ours whose modules a message may have in it."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """The modules that were there when each message was sent, and those imported ahead."""
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("data"))]
    ran = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    [[greeting, tidy, facts, _farewell], ahead] = json.loads(ran.stdout)
    return {
        "greeting": set(greeting),
        "IsTidy": set(tidy),
        "Observe": set(facts),
        "ahead": {name for names in ahead for name in names},
    }


@pytest.mark.parametrize("when", ["greeting", "IsTidy", "Observe"])
def test_what_takes_long_is_not_there(when: str, imported: Mapping[str, set[str]]) -> None:
    unwanted = HEAVY if when == "Observe" else HEAVY | POOLS
    assert sorted(unwanted & imported[when]) == []


def test_greeting_needs_the_messages_and_the_main_loop(imported: Mapping[str, set[str]]) -> None:
    modules = imported["greeting"]
    assert not {"pathlib", "shutil", "socket", "subprocess", "tempfile"} & modules
    names = {name for name in modules if name.startswith("pgpool_recovery.")}
    others = {name for name in names if name.split(".")[1] not in MESSAGES}
    assert {name.removeprefix("pgpool_recovery.") for name in others} == {
        *("agent", "agent.serve", "host", "host.stop"),
        *("cli", "cli.bug", "cli.locale", "cli.main", "cli.whole", "log", "log.note"),
    }


def test_answers_need_no_method_and_no_start(imported: Mapping[str, set[str]]) -> None:
    modules = imported["Observe"]
    assert "pgpool_recovery.agent.observe.target" in modules
    for room in ("agent.server", "agent.steps", "agent.method.base_backup", "config", "pgbackrest"):
        assert f"pgpool_recovery.{room}" not in modules


def test_steps_load_no_method_before_it_is_taken() -> None:
    """A standby that only lacks WAL needs none of them."""
    program = "import sys, pgpool_recovery.agent.steps.steps\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    names = set(ran.stdout.decode().split())
    assert "pgpool_recovery.agent.directory.past" in names
    methods = ("base_backup", "incremental.backup", "restore", "rewind")
    assert not {f"pgpool_recovery.agent.method.{name}" for name in methods} & names
    assert not {name for name in names if name.startswith("pgpool_recovery.pgbackrest.")}


def test_what_is_imported_ahead_can_be_imported(imported: Mapping[str, set[str]]) -> None:
    """In the thread nobody would hear of it."""
    from pgpool_recovery.agent.answers import answers, directory, server

    named = {*answers.CLIENT, *directory.STEPS, *server.STANDBY}
    assert imported["ahead"] == set(answers.CLIENT)
    program = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    subprocess.run([sys.executable, "-c", program, *named], check=True)
