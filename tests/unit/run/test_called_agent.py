"""An agent that is started before the rest of a stage is imported: taken once, or ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from pgpool_recovery.config.settings import AgentSettings, Settings
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import Target
from pgpool_recovery.run import called_agent
from pgpool_recovery.run.called_agent import CalledAgent, calling_agent
from pgpool_recovery.run.sessions import agent_of
from pgpool_recovery.talk.agent_process import AgentProcess
from pgpool_recovery.talk.protocol import HEARTBEAT_S, PROTOCOL, SILENCE_S, Greeting
from pgpool_recovery.talk.wire import encode_message

HERE = Target("127.0.0.1", "/data")
ELSEWHERE = Target("192.0.2.1", "/data")
GREETING = encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode().strip()
GREETS = f"print({GREETING!r}, flush=True); import sys; sys.stdin.read()"

CALLED_FIRST = """
import sys
from pgpool_recovery.run import called_agent

def called(argv):
    print(*sorted({"psycopg", *OURS} & sys.modules.keys()), *argv[-1:])
    raise SystemExit

OURS = [f"pgpool_recovery.{name}" for name in
        ("recovery", "remote_start", "second_stage", "dry_run", "history.record",
         "metrics.publish", "talk.conversation", "talk.wire", "plan.ladder")]
called_agent.AgentProcess = called
from pgpool_recovery.cli.stage import run_stage
run_stage(sys.argv[1], sys.argv[2:])
"""
WORDS = ["/own", "127.0.0.1", "/data"]


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("recovery_1st_stage", WORDS),
        ("recovery_2nd_stage", WORDS),
        ("pgpool_recovery_plan", WORDS),
        ("pgpool_remote_start", WORDS[1:]),
    ],
)
def test_agent_is_called_before_the_rest_is_imported(stage: str, words: list[str]) -> None:
    argv = [sys.executable, "-c", CALLED_FIRST, stage, *words]
    called = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert called.stdout.split() == ["agent"]


def test_agent_that_was_called_is_the_one_that_is_asked() -> None:
    """No other agent could be started by these words."""
    process = AgentProcess([sys.executable, "-c", GREETS])
    called = CalledAgent(["/does/not/exist"], process)
    with agent_of(HERE, Settings(), lambda _event: None, called) as agent:
        assert agent.version == "2.0"
        assert not process.has_ended()
        assert called.take() is None
    assert process.has_ended()


def test_agent_that_was_not_taken_ends_with_the_stage() -> None:
    with calling_agent(HERE, Settings()) as called:
        process = called._process
        assert process is not None
        assert not process.has_ended()
    assert process.has_ended()


def test_agent_that_has_waited_for_long_is_not_relied_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends when it receives nothing for a while, perhaps at this moment."""
    monkeypatch.setattr(called_agent, "FRESH_S", -1.0)
    with calling_agent(HERE, Settings()) as called:
        process = called._process
        assert process is not None
        assert called.take() is None
        assert process.has_ended()


def test_agent_is_waited_for_as_long_as_it_waits() -> None:
    """To observe a large primary takes a while, and another login would only add to that."""
    with calling_agent(HERE, Settings()) as called:
        process = called._process
        assert process is not None
        process.began -= SILENCE_S - 2 * HEARTBEAT_S - 1
        assert called.take() is process
        process.end(undo_s=5.0)


def test_missing_program_is_reported_by_the_caller_that_needs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings(agent=AgentSettings(answer_s=5.0))
    with calling_agent(ELSEWHERE, settings) as called:
        assert called.argv[0] == "ssh"
        with (
            pytest.raises(Unreachable, match="could not run ssh"),
            agent_of(ELSEWHERE, settings, lambda _event: None, called),
        ):
            pass
