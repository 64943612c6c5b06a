"""Runner and agent of two builds that differ by one field, and have the same number by mistake.

Both say so at once, whichever has the field more, and the agent ends.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pgpool_recovery
from pgpool_recovery.talk.wire import SAME_VERSION

OWN = Path(pgpool_recovery.__file__).parent
AGENT = """
import sys
from pgpool_recovery.agent import serve
from pgpool_recovery.talk.protocol import Weigh
from pgpool_recovery.domain.event import Said
done = serve.Agent._do
def say_and_do(self, request):
    if isinstance(request, Weigh):
        self._send(Said("agent", "a line"))
    return done(self, request)
serve.Agent._do = say_and_do
serve.Agent(0, 1).serve()
"""
RUNNER = """
import json, sys, time
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.protocol import Weigh
from pgpool_recovery.talk.request.host import LookAround
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.facts.node import Surroundings

data, argv = sys.argv[1], sys.argv[2:]
began, said = time.monotonic(), {"message": None, "hint": None}
with converse(argv, "node 1", lambda event: None, timeout_s=60) as agent:
    try:
        agent.ask(LookAround(data, (), "postgres", None), timeout_s=60)
        if "AskConfinement" in getattr(agent, "offers", ()):
            from pgpool_recovery.talk.request.host import AskConfinement
            agent.ask(AskConfinement(data), timeout_s=60)
        agent.ask(Weigh("x"), timeout_s=60)
    except RecoveryError as error:
        said = error.as_record()
    seconds = time.monotonic() - began
    process = agent._process._process
print(json.dumps({**said, "seconds": seconds, "agent_status": process.returncode}))
"""
FIELDS = {
    "a request": ("talk/protocol.py", "    text: str\n", "    text: str\n    more: int = 0\n"),
    "an event": ("domain/event.py", "    line: str\n", '    line: str\n    more: str = ""\n'),
    "a result": (
        "facts/node.py",
        "    settings_problem: str | None\n",
        "    settings_problem: str | None\n    more: int = 0\n",
    ),
    "the runner's first line": (
        "talk/protocol.py",
        "    limits: Limits\n",
        "    limits: Limits\n    more: int = 0\n",
    ),
}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second build, as it is."""
    root = tmp_path_factory.mktemp("other")
    shutil.copytree(OWN, root / OWN.name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def patched(other: Path, tmp_path: Path, what: str) -> Path:
    shutil.copytree(other, tmp_path / "build")
    name, old, new = FIELDS[what]
    file = tmp_path / "build" / OWN.name / name
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return tmp_path / "build"


def command(build: Path, program: str, *words: str) -> list[str]:
    """Return the command that runs a program of one build; an agent gets no environment of ours."""
    path = f"import sys; sys.path.insert(0, {str(build)!r})\n"
    return [sys.executable, "-c", path + program, *words]


def conversation(runner: Path, agent: Path, data: Path) -> dict[str, Any]:
    ran = subprocess.run(
        command(runner, RUNNER, str(data), *command(agent, AGENT)),
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def test_two_equal_builds_understand_each_other(other: Path, tmp_path: Path) -> None:
    said = conversation(OWN.parent, other, tmp_path)
    assert said["message"] is None
    assert said["agent_status"] == 0


@pytest.mark.parametrize("older", ["runner", "agent"])
def test_build_that_offers_nothing(other: Path, tmp_path: Path, older: str) -> None:
    """A request that agents offer in their greeting can be added without another protocol."""
    build = tmp_path / "build"
    shutil.copytree(other, build)
    file = build / OWN.name / "talk" / "protocol.py"
    text = file.read_text()
    assert text.count("\nAGENT = ") == 1
    file.write_text(text.replace("\nAGENT = ", '\nAGENT = "pgpool-recovery"\nOFFERED = '))
    ends = {"runner": OWN.parent, "agent": OWN.parent} | {older: build}
    said = conversation(ends["runner"], ends["agent"], tmp_path)
    assert said["message"] is None, said
    assert said["agent_status"] == 0


@pytest.mark.parametrize("who", ["runner", "agent"])
@pytest.mark.parametrize("what", FIELDS)
def test_one_field_more(other: Path, tmp_path: Path, what: str, who: str) -> None:
    build = patched(other, tmp_path, what)
    ends = {"runner": OWN.parent, "agent": OWN.parent} | {who: build}
    said = conversation(ends["runner"], ends["agent"], tmp_path)
    assert "speaks another protocol" in str(said["message"])
    assert "more" in said["detail"]
    assert said["hint"] == SAME_VERSION
    assert said["agent_status"] == 0, "the agent has not ended by itself"
    assert said["seconds"] < 30, "it was not said at once"


def test_another_number(other: Path, tmp_path: Path) -> None:
    shutil.copytree(other, tmp_path / "build")
    file = tmp_path / "build" / OWN.name / "talk" / "protocol.py"
    file.write_text(file.read_text().replace("\nPROTOCOL = ", "\nPROTOCOL = 1000 + "))
    for runner, agent in ((OWN.parent, tmp_path / "build"), (tmp_path / "build", OWN.parent)):
        ran = subprocess.run(
            command(runner, RUNNER, str(tmp_path), *command(agent, AGENT)),
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert "the agent of node 1 speaks another protocol" in ran.stderr
