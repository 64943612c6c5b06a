"""Who takes part beside the own server: the agent of the target, and what a failure says of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import as_failure
from pgpool_recovery.domain.event import Emit
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.run.called_agent import CalledAgent, agent_argv
from pgpool_recovery.talk.conversation import Conversation, converse
from pgpool_recovery.talk.protocol import Limits


@contextmanager
def naming(target: Target) -> Iterator[None]:
    """Let every failure name the node, also one that nobody expected."""
    try:
        yield
    except Exception as error:
        raise as_failure(error).about(target.name) from error


@contextmanager
def leaving(state: TargetState) -> Iterator[None]:
    """Let every failure that changes nothing more say in which state the target is already."""
    try:
        yield
    except Exception as error:
        failure = as_failure(error, state)
        if failure.target is TargetState.UNTOUCHED:
            failure = failure.with_target(state)
        raise failure from error


def limits_of(settings: Settings) -> Limits:
    """Return how long an agent waits."""
    timeout = settings.timeout
    return Limits(
        connect_s=timeout.connect_s,
        backup_start_s=min(timeout.backup_start_s, timeout.stall_s),
        silence_s=timeout.silence_s,
        undo_s=timeout.undo_s,
    )


@contextmanager
def agent_of(
    target: Target, settings: Settings, emit: Emit, called: CalledAgent | None = None
) -> Iterator[Conversation]:
    """Start an agent for the target: a child process here, or by ssh on its host.

    `called`: one that was called before.
    """
    with converse(
        agent_argv(target, settings) if called is None else called.argv,
        target.name,
        emit,
        timeout_s=settings.agent.answer_s,
        limits=limits_of(settings),
        undo_s=settings.timeout.undo_s,
        begun=None if called is None else called.take(),
    ) as agent:
        yield agent
