"""An agent that is called before anything else is ready: its login takes longer than that."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import Target
from pgpool_recovery.ssh.command import ssh_command
from pgpool_recovery.ssh.locality import is_this_host
from pgpool_recovery.talk.agent_process import ENDS_WITHIN_S, AgentProcess

FRESH_S = 20.0
"""An agent that hears nothing for longer (talk/protocol.py: SILENCE_S) ends; it is told in time
that somebody is there, or another one is started. Who takes it talks to it at once."""


def agent_argv(target: Target, settings: Settings) -> list[str]:
    """Return the words that start an agent for a target: a child process, or by ssh."""
    if is_this_host(target.host):
        return [sys.executable, "-I", "-m", "pgpool_recovery", "agent"]
    return ssh_command(target.host, settings.agent.command, settings.ssh)


class CalledAgent:
    """The process of an agent for one target; whoever converses with it takes it, once."""

    def __init__(self, argv: list[str], process: AgentProcess | None) -> None:
        self.argv = argv
        self._process = process

    def take(self) -> AgentProcess | None:
        """Return the process, which is the caller's from then on; None when another is needed."""
        if self._process is not None and time.monotonic() - self._process.began > FRESH_S:
            self.end()
        process, self._process = self._process, None
        return process

    def end(self) -> None:
        """End the process that nobody took: it has been asked for nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.end(undo_s=ENDS_WITHIN_S, farewell_s=0.0)


@contextmanager
def calling_agent(target: Target, settings: Settings) -> Iterator[CalledAgent]:
    """Start an agent for a target, to be conversed with in the context or ended with it.

    Where it cannot be started, that is told by whoever needs it and tries again.
    """
    argv = agent_argv(target, settings)
    try:
        process = AgentProcess(argv)
    except OSError:
        process = None
    called = CalledAgent(argv, process)
    try:
        yield called
    finally:
        called.end()
