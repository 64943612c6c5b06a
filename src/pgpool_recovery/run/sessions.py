"""Start the agent of a target, and let each failure name the node and its state."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pgpool_recovery.config.own_command import own_process
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import as_failure
from pgpool_recovery.domain.event import Emit, pay_no_heed
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.transfer import SourceNode
from pgpool_recovery.postgres.connection import THE_PRIMARY
from pgpool_recovery.run.called_agent import CalledAgent, agent_argv
from pgpool_recovery.run.file_bracket import agent_bracket, own_bracket
from pgpool_recovery.run.own_server import own_server
from pgpool_recovery.run.read_server import Bracket, ReadServer
from pgpool_recovery.ssh.command import ssh_command
from pgpool_recovery.talk.agent_process import ENDS_WITHIN_S
from pgpool_recovery.talk.conversation import Conversation, converse
from pgpool_recovery.talk.protocol import Limits
from pgpool_recovery.talk.request.blocks import StartFileBackup


@contextmanager
def naming(target: Target) -> Iterator[None]:
    """Let every failure name the node, even an unexpected one."""
    try:
        yield
    except Exception as error:
        raise as_failure(error).about(target.name) from error


@contextmanager
def leaving(state: TargetState) -> Iterator[None]:
    """Let every failure that itself changed nothing report the state that the target is in."""
    try:
        yield
    except Exception as error:
        failure = as_failure(error, state)
        if failure.target is TargetState.UNTOUCHED:
            failure = failure.with_target(state)
        raise failure from error


def limits_of(settings: Settings) -> Limits:
    """Return the time limits of an agent, from the settings."""
    timeout = settings.timeout
    return Limits(
        connect_s=timeout.connect_s,
        backup_start_s=min(timeout.backup_start_s, timeout.stall_s),
        silence_s=timeout.silence_s,
        undo_s=timeout.undo_s,
    )


def own_files(target: Target, settings: Settings) -> ReadServer:
    """Return this server, the primary, as the one whose files are read for a target."""
    return ReadServer(
        name=THE_PRIMARY,
        bracket=lambda label: own_bracket(lambda: own_server(settings), label),
        start_agent=lambda on_event: converse(
            [*own_process(), "agent"],
            THE_PRIMARY,
            on_event,
            timeout_s=settings.agent.answer_s,
            limits=limits_of(settings),
            undo_s=ENDS_WITHIN_S,
        ),
        receiver=tuple(agent_argv(target, settings)),
    )


def files_of(source: SourceNode, target: Target, settings: Settings) -> ReadServer:
    """Return a standby as the server whose files are read for a target, by agents on its host.

    An agent there takes the backup in a session with its own server, as its server's user: a login
    from here would need another line in pg_hba.conf. The agents start the receivers on the target
    by ssh from there.
    """
    there = Target(source.host, source.data_directory, source.node_id)
    own, name, stall_s = settings.primary, str(source), settings.timeout.stall_s

    def start_agent(on_event: Emit) -> AbstractContextManager[Conversation]:
        return converse(
            agent_argv(there, settings),
            name,
            on_event,
            timeout_s=settings.agent.answer_s,
            limits=limits_of(settings),
            undo_s=ENDS_WITHIN_S,
        )

    def bracket(label: str) -> AbstractContextManager[Bracket]:
        return agent_bracket(
            lambda: start_agent(pay_no_heed),
            StartFileBackup(source.data_directory, own.dbname, own.user, label, stall_s),
            start_s=stall_s,
            answer_s=settings.agent.answer_s,
        )

    words = settings.agent.command
    is_there = source.host == target.host
    receiver = words if is_there else ssh_command(target.host, words, settings.ssh)
    return ReadServer(name, bracket, start_agent, tuple(receiver))


@contextmanager
def agent_of(
    target: Target, settings: Settings, emit: Emit, called: CalledAgent | None = None
) -> Iterator[Conversation]:
    """Start an agent for the target: a child process here, or by ssh on its host.

    `called` is one that was started earlier.
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
