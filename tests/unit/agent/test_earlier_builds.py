"""Runner and agent of this build and of earlier ones, as in the middle of an upgrade of all hosts.

They work, or say at once that they are two; in both cases the agent ends with the conversation.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pgpool_recovery
from pgpool_recovery.talk.protocol import PROTOCOL
from pgpool_recovery.talk.wire import SAME_VERSION
from tests.earlier_build import BEFORE_ISSUE_10, BEFORE_ISSUE_12, extract

OWN = Path(pgpool_recovery.__file__).parents[1]
AGENT = "from pgpool_recovery.agent import serve\nserve.Agent(0, 1).serve()\n"
RUNNER = """
import json, sys
try:
    from pgpool_recovery.talk.conversation import converse
    from pgpool_recovery.talk.protocol import Weigh
except ImportError:  # Before issue 13.
    from pgpool_recovery.agent.conversation import converse
    from pgpool_recovery.agent.protocol import Weigh
from pgpool_recovery.domain.error import RecoveryError
import subprocess
started, begin = [], subprocess.Popen
class Popen(begin):
    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        started.append(self)
subprocess.Popen = Popen
said = {"message": None, "answer": None}
try:
    with converse(sys.argv[1:], "node 1", lambda event: None, timeout_s=60) as agent:
        kind = () if hasattr(sys.modules[Weigh.__module__], "Asks") else (int,)
        said["answer"] = agent.ask(Weigh("abc"), *kind, timeout_s=60)
except RecoveryError as error:
    said |= error.as_record()
print(json.dumps({**said, "agents": [process.wait(0) for process in started]}))
"""


@pytest.fixture(scope="module", params=[BEFORE_ISSUE_10, BEFORE_ISSUE_12], ids=["10", "12"])
def earlier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extract(request.param, tmp_path_factory.mktemp("earlier")) / "src"


def command(build: Path, program: str, *words: str) -> list[str]:
    path = f"import sys; sys.path.insert(0, {str(build)!r})\n"
    return [sys.executable, "-c", path + program, *words]


def conversation(runner: Path, agent: Path) -> dict[str, Any]:
    ran = subprocess.run(
        command(runner, RUNNER, *command(agent, AGENT)),
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def protocol_of(build: Path) -> int:
    [path] = (build / "pgpool_recovery").glob("*/protocol.py")
    text = path.read_text()
    [number] = re.findall(r"^PROTOCOL = ([0-9]+)$", text, re.MULTILINE)
    return int(number)


@pytest.mark.parametrize("who", ["runner", "agent"])
def test_an_earlier_end_works_or_is_named(earlier: Path, who: str) -> None:
    ends = {"runner": OWN, "agent": OWN} | {who: earlier}
    said = conversation(ends["runner"], ends["agent"])
    [agents_status] = said["agents"]
    assert agents_status == 0, "the agent has not ended by itself"
    number = protocol_of(earlier)
    if number == PROTOCOL:
        assert said["answer"] == 3
        return
    assert said["message"] == "the agent of node 1 speaks another protocol"
    assert f"protocol {number}" in said["detail"]
    assert f"protocol {PROTOCOL}" in said["detail"]
    assert said["target"] == "untouched"
    if who == "agent":
        assert said["hint"] == f"{SAME_VERSION} The older one is that on the host of node 1."
