"""What of an agent's events comes through."""

import math
import sys
from itertools import count

import pytest

from pgpool_recovery.domain.event import (
    Event,
    Finished,
    Moved,
    PlanMade,
    Progress,
    Said,
    StepStarted,
)
from pgpool_recovery.domain.text import MAX_CHARACTERS
from pgpool_recovery.talk.allowance import MAX_BYTES, MAX_LINES, Allowance
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.protocol import PROTOCOL, Answer, Greeting, Weigh
from pgpool_recovery.talk.wire import encode_message

SECONDS = 0.125


def passed(*events: Event) -> list[Event]:
    """Return what comes of events that follow each other an eighth of a second apart."""
    got: list[Event] = []
    ticks = count()
    allowance = Allowance("node 1", got.append, clock=lambda: next(ticks) * SECONDS)
    for event in events:
        allowance.take(event)
    allowance.end()
    return got


def test_honest_agent_is_heard_as_it_speaks() -> None:
    events: list[Event] = [
        Said("pg_rewind", "servers diverged at …"),
        Moved(2**40),
        Progress(1, 2, 3.5),
    ]
    assert passed(*events) == events


@pytest.mark.parametrize("program", ["primary", "runner", "step 4 of 6", "pg_rewind "])
def test_promise_13_agent_speaks_in_nobody_elses_name(program: str) -> None:
    """The lines of the primary and of the runner look alike."""
    assert passed(Said(program, "dropped a slot")) == [Said("agent", "dropped a slot")]


def test_line_is_one_line_of_limited_length() -> None:
    (said,) = passed(Said("agent\n", "a\n\x1e{}\x1b[2J" + "x" * 2**20))
    assert isinstance(said, Said)
    assert said.program == "agent"
    assert said.line.startswith(r"a\n\x1e{}\x1b[2J")
    assert len(said.line) < MAX_CHARACTERS + 100


@pytest.mark.parametrize("line", ["x", "x" * 5000])
def test_flood_is_counted_and_not_kept(line: str) -> None:
    total = MAX_LINES + 5
    got = passed(*[Said("agent", line)] * total)
    kept = [event for event in got if event == Said("agent", line)]
    assert len(kept) == min(MAX_LINES, MAX_BYTES // len(f"agent{line}"))
    first, last = (event for event in got if event not in kept)
    size = len(kept) * len(f"agent{line}")
    assert first == Said(
        "runner",
        f"the agent of node 1 has sent {len(kept)} lines of {size} bytes; "
        "further ones are counted but not kept",
    )
    assert last == Said(
        "runner", f"{total - len(kept)} events of the agent of node 1 were not kept"
    )


def test_progress_comes_at_a_pace_and_takes_nothing_of_the_allowance() -> None:
    got = passed(*[Progress(number, 100, 1.0) for number in range(9)])
    assert [event.done_bytes for event in got if isinstance(event, Progress)] == [0, 4, 8]


@pytest.mark.parametrize(
    "event",
    [
        PlanMade("attach", ("all is well",)),
        StepStarted("nothing", 1, 1),
        Finished("all is well", 1.0),
        Moved(-1),
        Moved(2**64),
    ],
)
def test_what_is_not_an_agents_to_say_is_not_passed_on(event: Event) -> None:
    assert passed(event) == [Said("runner", "1 events of the agent of node 1 were not kept")]


@pytest.mark.parametrize("rate", [math.nan, math.inf, -1.0])
def test_progress_that_cannot_be_is_not_passed_on(rate: float) -> None:
    assert passed(Progress(1, 2, rate)) == []


FLOOD = f"""
import sys
print({encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode()!r}, flush=True)
while "Weigh" not in sys.stdin.readline():
    pass
for _ in range(20):
    print('{{"is": "Said", "program": "x", "line": "' + "y" * 2**20 + '"}}')
    sys.stderr.write("z" * 2**20)
sys.stderr.write("the last words")
print({encode_message(Answer(result=7)).decode()!r}, flush=True)
sys.stdin.read()
sys.exit(3)
"""


def test_flood_of_an_agent_ends_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are cut, and its standard error lies in no file."""
    monkeypatch.setenv("TMPDIR", "/nowhere")
    got: list[Event] = []
    with converse([sys.executable, "-c", FLOOD], "node 1", got.append, timeout_s=10) as agent:
        assert agent.ask(Weigh("x"), timeout_s=30) == 7
        assert agent._process.errors.text().endswith("the last words")
    lines = [event.line for event in got if isinstance(event, Said)]
    assert len(lines) == 20
    assert sum(map(len, lines)) < 20 * (MAX_CHARACTERS + 100)
