"""Agents that are processes of their own, one on a source's host and receivers on the target."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.domain.event import Event
from pgpool_recovery.facts.blocks import BlockSource, BlockTarget
from pgpool_recovery.host.permit import issue_permit
from pgpool_recovery.talk.conversation import Conversation, converse
from pgpool_recovery.talk.request.blocks import OpenChannel

PROGRAM = """
import os
from pgpool_recovery.agent.serve import Agent
os.umask(0o077)
Agent(0, 1).serve()
"""
AGENT = (sys.executable, "-c", PROGRAM)
"""As `pgpool-recovery agent`, which refuses to run as root."""
WITHOUT_XXH3 = (
    sys.executable,
    "-c",
    f"from pgpool_recovery.host import xxh3\nxxh3.LIBRARY = 'libxxhash-of-nobody.so.0'\n{PROGRAM}",
)
SILENCE_S = 20.0
ANSWER_S = 60.0


def opening(
    source: BlockSource,
    target: BlockTarget,
    receiver: tuple[str, ...] = AGENT,
    hash_secret: str | None = None,
) -> OpenChannel:
    """Return the request that opens a channel."""
    return OpenChannel(source, target, receiver, SILENCE_S, hash_secret)


def permit_in(workspace: Path) -> str:
    """Return the token of those that may write now."""
    return issue_permit(workspace, within_s=5, check=lambda: None)


@contextmanager
def source_agent(
    events: list[Event] | None = None, program: Sequence[str] = AGENT
) -> Iterator[Conversation]:
    """Start an agent on the source's host."""
    heard = [] if events is None else events
    with converse(program, "the source", heard.append, timeout_s=ANSWER_S) as agent:
        yield agent
