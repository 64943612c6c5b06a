"""Measure how fast the link from this host to the target's host is."""

import time
from functools import cache

from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.protocol import Weigh
from pgpool_recovery.talk.wire import decode_request, encode_request

WEIGHT_BYTES = 4 * 2**20
"""This takes a third of a second at 100 Mbit/s, and is enough for TCP to reach its speed."""


def measure_link(agent: Conversation, *, timeout_s: float) -> float:
    """Return the bytes per second that reach the agent, a bit less than the copy's rate.

    They are sent by ssh, so the result is at most what one core can encrypt.
    """
    empty_s = _answer_s(agent, "", timeout_s)
    full_s = _answer_s(agent, "x" * WEIGHT_BYTES, timeout_s)
    return WEIGHT_BYTES / max(full_s - empty_s - _packing_s(), 1e-3)


@cache
def _packing_s() -> float:
    """Return the seconds for encoding and decoding, assuming that the agent is equally fast.

    Once in a process, since it does not depend on the node.
    """
    began = time.monotonic()
    decode_request(encode_request(Weigh("x" * WEIGHT_BYTES)))
    return time.monotonic() - began


def _answer_s(agent: Conversation, text: str, timeout_s: float) -> float:
    began = time.monotonic()
    agent.ask(Weigh(text), timeout_s=timeout_s)
    return time.monotonic() - began
