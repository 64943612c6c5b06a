"""The runner's side: an agent hears that somebody is there, and one that is gone is noticed."""

import os
import signal
import sys
import time
from types import FrameType

import pytest

from pgpool_recovery.agent import conversation
from pgpool_recovery.agent.conversation import converse
from pgpool_recovery.agent.protocol import PROTOCOL, Greeting
from pgpool_recovery.agent.wire import encode_message
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.run.shield import shielded
from tests.harness.until import until

GREETING = encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode().strip()
ENDS_WITH_THE_CONVERSATION = f"print({GREETING!r}, flush=True); import sys; sys.stdin.read()"
ENDS_WHEN_IT_HEARS_ANYTHING = f"print({GREETING!r}, flush=True); input()"


def test_agent_is_told_that_somebody_is_there_while_nobody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a wait for the primary that is longer than its patience would end the agent."""
    monkeypatch.setattr(conversation, "HEARTBEAT_S", 0.05)
    argv = [sys.executable, "-c", ENDS_WHEN_IT_HEARS_ANYTHING]
    with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:

        def is_gone() -> bool:
            try:
                agent.check()
            except Unreachable as lost:
                return lost.message == "the connection to node 1 was lost"
            return False

        assert until(is_gone, within_s=10, what="the agent to hear a heartbeat")


def test_cancel_waits_for_what_it_must_not_interrupt_while_an_agent_is_there() -> None:
    """A thread that lets signals through would have the handler run in the middle of it."""
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    argv = [sys.executable, "-c", ENDS_WITH_THE_CONVERSATION]
    before = signal.signal(signal.SIGTERM, hear)
    try:
        with converse(argv, "node 1", lambda _event: None, timeout_s=10):
            with shielded():
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.2)
                assert heard == []
            assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
