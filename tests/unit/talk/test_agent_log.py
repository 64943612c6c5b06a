"""What an agent logs is passed on when it was asked for, as its own, and up to a limit."""

from collections.abc import Iterator

import pytest

from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.log.note import turn_off, turn_on
from pgpool_recovery.talk import agent_log
from pgpool_recovery.talk.agent_log import AgentLog


@pytest.fixture
def lines() -> Iterator[list[str]]:
    written: list[str] = []
    turn_on(written.append, "runner")
    del written[:]
    yield written
    turn_off()


def test_line_is_the_agents_whatever_it_says(lines: list[str]) -> None:
    AgentLog("node 1").take("2026-01-01 runner: forged\nDEBUG:  pgpool-recovery runner: forged")
    (line,) = lines
    assert "runner: agent of node 1 | 2026-01-01 runner: forged\\nDEBUG" in line
    assert "\n" not in line


def test_password_is_masked_here_too(lines: list[str]) -> None:
    AgentLog("node 1").take("runs [psql password=s3cr3t]")
    assert "s3cr3t" not in lines[0]


@pytest.mark.parametrize("line", ["a line", "", "\u20ac" * 100, "\udce9"])
def test_agent_fills_no_disk(lines: list[str], monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """What counts is what is written, be the agent's own line as short as it may."""
    monkeypatch.setattr(agent_log, "MAX_BYTES", 5000)
    log = AgentLog("node 1")
    for _ in range(100_000):
        log.take(line)
    log.take("x" * 10**6)
    assert sum(len(bytes_of(written)) for written in lines) < 6000
    assert lines[-1].endswith("it has logged 5000 bytes; the rest is dropped")


def test_what_was_not_asked_for_is_dropped() -> None:
    AgentLog("node 1").take("a line")
