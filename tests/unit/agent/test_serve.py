"""The agent reads requests as they come, whole or in pieces, and ends whatever comes."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgpool_recovery.agent import serve
from pgpool_recovery.agent.serve import Agent
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.log.note import turn_off
from pgpool_recovery.talk.protocol import (
    Answer,
    Farewell,
    Hello,
    Limits,
    Logged,
    Message,
    Ping,
    Request,
    Weigh,
)
from pgpool_recovery.talk.request.steps import TakeStep
from pgpool_recovery.talk.wire import SAME_VERSION, decode_message, encode_request

LONG = "x" * 1_000_000


@contextmanager
def agent() -> Iterator[tuple[int, Iterator[Message]]]:
    """Serve on two pipes; yield where to write and what comes out."""
    requests, to_agent = os.pipe()
    from_agent, messages = os.pipe()
    served = Agent(requests, messages)
    thread = threading.Thread(target=served.serve)
    thread.start()
    try:
        with os.fdopen(from_agent, "rb") as lines:
            yield to_agent, filter(None, map(decode_message, lines))
            os.close(to_agent)
            thread.join(10)
        assert not thread.is_alive()
    finally:
        served.end()


def write(descriptor: int, *requests: Request, piece: int = 65536) -> None:
    data = b"".join(map(encode_request, requests))
    for begin in range(0, len(data), piece):
        os.write(descriptor, data[begin : begin + piece])


def answers(messages: Iterator[Message], count: int) -> list[object]:
    found = (message.result for message in messages if isinstance(message, Answer))
    return [next(found) for _ in range(count)]


def test_requests_in_one_piece() -> None:
    with agent() as (to_agent, messages):
        write(to_agent, Weigh("a"), Ping(), Weigh("bc"))
        assert answers(messages, 2) == [1, 2]


def test_requests_in_small_pieces() -> None:
    with agent() as (to_agent, messages):
        write(to_agent, Weigh("a"), Ping(), Weigh("bc"), piece=3)
        assert answers(messages, 2) == [1, 2]


def test_a_request_that_is_longer_than_a_read() -> None:
    with agent() as (to_agent, messages):
        write(to_agent, Weigh("a"), Weigh(LONG), Weigh("bc"))
        assert answers(messages, 3) == [1, len(LONG), 2]


UNREADABLE = {
    "garbage": b"garbage\n",
    "bytes": b"\xff\xfe\0\n",
    "no object": b"[1]\n",
    "no tag": b"{}\n",
    "a tag that is no text": b'{"is": []}\n',
    "an unknown request": b'{"is": "Throttle"}\n',
    "a field more": b'{"is": "Weigh", "text": "x", "more": 1}\n',
    "a field less": b'{"is": "Weigh"}\n',
    "another type": b'{"is": "Weigh", "text": 1}\n',
    "too deep": b'{"is": ' + b"[" * 100_000 + b"\n",
    "no end": b"x" * 2000,
    "an unknown step": b'{"is": "TakeStep", "step": {"is": "Explode"}, "stall_s": 1}\n',
    "a heartbeat with more": b'{"is": "Ping", "more": 1}\n',
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_it_cannot_read_is_refused_and_ends_it(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the input stays open, and after requests that were right."""
    monkeypatch.setattr(serve, "MAX_REQUEST_BYTES", 1000)
    requests, to_agent = os.pipe()
    from_agent, messages = os.pipe()
    thread = threading.Thread(target=Agent(requests, messages).serve)
    thread.start()
    with os.fdopen(from_agent, "rb") as lines:
        write(to_agent, Weigh("abc"))
        os.write(to_agent, UNREADABLE[what])
        said = filter(None, map(decode_message, lines))
        answered = [next(said), next(said), next(said)]
        thread.join(10)
    assert not thread.is_alive()
    os.close(to_agent)
    [right, wrong] = [message for message in answered if isinstance(message, Answer)]
    assert right.result == 3
    assert wrong.failure is not None
    assert wrong.failure["message"] == "the runner speaks another protocol"
    assert wrong.failure["hint"] == SAME_VERSION
    assert wrong.failure["error"] == "Refused"


def end_its_input(to_agent: int) -> None:
    os.close(to_agent)


def say_nothing_understandable(to_agent: int) -> None:
    os.write(to_agent, b"garbage\n")


@pytest.mark.parametrize("end", [end_its_input, say_nothing_understandable])
def test_end_of_the_conversation_ends_what_it_does(
    end: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun = threading.Event()

    def work(self: Agent, _request: Request) -> None:
        has_begun.set()
        self._stop.wait(60)

    monkeypatch.setattr(Agent, "_do", work)
    requests, to_agent = os.pipe()
    _, messages = os.pipe()
    thread = threading.Thread(target=Agent(requests, messages).serve)
    thread.start()
    write(to_agent, Weigh("abc"))
    assert has_begun.wait(10)
    end(to_agent)
    thread.join(10)
    assert not thread.is_alive()


def test_last_line_says_what_was_taken_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    place = Place(
        str(data), f"{data}.pgpool_recovery", is_inside=False, new=f"{data}.pgpool_recovery/new"
    )
    requests, to_agent = os.pipe()
    from_agent, messages = os.pipe()
    thread = threading.Thread(target=Agent(requests, messages).serve)
    thread.start()
    write(to_agent, TakeStep(Reserve(Places(data=place, wal=None, tablespaces=())), 10))
    os.close(to_agent)
    thread.join(10)
    assert not thread.is_alive()
    os.close(messages)
    with os.fdopen(from_agent, "rb") as lines:
        last = list(filter(None, map(decode_message, lines)))[-1]
    assert last == Farewell(TargetState.UNTOUCHED)


def test_runner_that_takes_nothing_any_more_does_not_keep_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its output is full; when its input ends as well, or nothing comes, it gives up."""
    monkeypatch.setattr(serve, "SILENCE_S", 1.5)
    monkeypatch.setattr(Agent, "_do", lambda _self, request: request.text)
    requests, to_agent = os.pipe()
    _, messages = os.pipe()
    thread = threading.Thread(target=Agent(requests, messages).serve)
    thread.start()
    write(to_agent, Weigh(LONG))
    thread.join(20)
    assert not thread.is_alive()


DOES_NOT_HEAR = """
import time
from pgpool_recovery.agent import serve
serve.Agent._do = lambda self, request: time.sleep(600)
serve.Agent(0, 1).serve()
"""


def test_what_hears_nobody_is_ended_in_the_end() -> None:
    argv = [sys.executable, "-c", DOES_NOT_HEAR]
    hello = Hello("2.0", Limits(undo_s=0.2))
    request = encode_request(hello) + encode_request(Weigh("x"))
    ended = subprocess.run(argv, input=request, capture_output=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr == b""


def test_it_logs_when_the_runner_asks_for_it() -> None:
    with agent() as (to_agent, messages):
        write(to_agent, Hello("2.0", Limits(), logs=True), Weigh("a secret text"))
        said = list(iter(lambda: next(messages), Answer(result=13)))
        turn_off()
    logged = [message.line for message in said if isinstance(message, Logged)]
    assert [line.partition(": ")[2][:10] for line in logged] == [
        "the log be",
        "does Weigh",
        "does Weigh",
    ]
    assert all(re.match(r"\+\d+\.\d{3} agent\[\d+\]@\S+: ", line) for line in logged)


def test_it_logs_nothing_otherwise() -> None:
    with agent() as (to_agent, messages):
        write(to_agent, Hello("2.0", Limits()), Weigh("a"))
        said = list(iter(lambda: next(messages), Answer(result=1)))
    assert not [message for message in said if isinstance(message, Logged)]
