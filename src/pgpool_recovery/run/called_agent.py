"""Start an agent before everything else, because its login takes longer than the rest."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pgpool_recovery.config.own_command import own_process
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.node import Target
from pgpool_recovery.ssh.command import ssh_command
from pgpool_recovery.ssh.locality import is_this_host
from pgpool_recovery.talk.agent_process import ENDS_WITHIN_S, AgentProcess

FRESH_S = 20.0
"""An agent that has waited for longer is replaced, because it exits when it receives nothing for
SILENCE_S (talk/protocol.py). The caller that takes it sends its first message at once."""


def agent_argv(target: Target, settings: Settings) -> list[str]:
    """Return the words that start an agent for a target: a child process, or by ssh."""
    if is_this_host(target.host):
        return [*own_process(), "agent"]
    return ssh_command(target.host, settings.agent.command, settings.ssh)


class CalledAgent:
    """The process of an agent for one target; it can be taken once, for a conversation."""

    def __init__(self, argv: list[str], process: AgentProcess | None) -> None:
        self.argv = argv
        self._process = process

    def take(self) -> AgentProcess | None:
        """Return the process, which then belongs to the caller; None if a new one is needed."""
        if self._process is not None and time.monotonic() - self._process.began > FRESH_S:
            self.end()
        process, self._process = self._process, None
        return process

    def end(self) -> None:
        """End the process if it was not taken; it has received no request."""
        process, self._process = self._process, None
        if process is not None:
            process.end(undo_s=ENDS_WITHIN_S, farewell_s=0.0)


@contextmanager
def calling_agent(target: Target, settings: Settings) -> Iterator[CalledAgent]:
    """Start an agent for a target, which is ended with the context unless it is taken.

    If it cannot be started, no error is raised here: the caller that needs it starts another one,
    and reports that failure.
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
