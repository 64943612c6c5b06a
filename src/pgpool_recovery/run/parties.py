"""Who takes part: the own server, and the agent of the target."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pgpool_recovery.agent.conversation import Conversation, converse
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.event import Event
from pgpool_recovery.domain.node import Target
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.ssh.command import ssh_command
from pgpool_recovery.ssh.locality import is_this_host

Emit = Callable[[Event], None]


@contextmanager
def naming(target: Target) -> Iterator[None]:
    """Let every failure name the node."""
    try:
        yield
    except RecoveryError as error:
        raise error.about(target.name) from error


def own_conninfo(settings: Settings) -> Mapping[str, str]:
    """Return how the server that called is reached; the environment says where it listens."""
    own = settings.primary
    user = {} if own.user is None else {"user": own.user}
    return {"dbname": own.dbname, **user}


@contextmanager
def own_server(settings: Settings) -> Iterator[Connection]:
    """Connect to the server that called."""
    with connect(own_conninfo(settings)) as connection:
        yield connection


@contextmanager
def agent_of(target: Target, settings: Settings, emit: Emit) -> Iterator[Conversation]:
    """Start an agent for the target: a child process here, or by ssh on its host."""
    if is_this_host(target.host):
        argv = [sys.executable, "-I", "-m", "pgpool_recovery", "agent"]
    else:
        argv = ssh_command(target.host, settings.agent.command, settings.ssh)
    with converse(argv, target.name, emit, timeout_s=settings.agent.answer_s) as agent:
        yield agent
