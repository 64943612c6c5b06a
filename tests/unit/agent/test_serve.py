"""The agent reads requests as they come, whole or in pieces."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pgpool_recovery.agent.protocol import Answer, Message, Ping, Request, Weigh
from pgpool_recovery.agent.serve import Agent
from pgpool_recovery.agent.wire import decode_message, encode_request

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
