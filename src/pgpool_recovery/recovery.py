"""The story: observe, plan, run, verify."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pgpool_recovery.agent.conversation import Conversation, converse
from pgpool_recovery.agent.protocol import DiscardOld, ReadLog, Start, Started
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Cancelled, RecoveryError, Unreachable
from pgpool_recovery.domain.event import Event, Finished, PlanMade, Said
from pgpool_recovery.domain.node import OWN_SLOT, RecoveryRequest, Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.observe.target import observe_target
from pgpool_recovery.plan.basebackup import plan_basebackup
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.rejection import as_error
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.run.run_plan import Deadlines, Run
from pgpool_recovery.ssh.command import ssh_command
from pgpool_recovery.ssh.locality import is_this_host
from pgpool_recovery.verify.streaming import wait_until_streaming

Emit = Callable[[Event], None]

MARGIN_S = 60.0
"""What an agent may take longer than it was told, before it is given up."""


def recover(request: RecoveryRequest, settings: Settings, emit: Emit) -> Plan:
    """Prepare the target as a standby of this primary, up to the start of its server."""
    began = time.monotonic()
    target = request.target
    is_local = is_this_host(target.host)
    with (
        naming(target),
        own_server(settings) as connection,
        agent_of(target, settings, emit) as agent,
    ):
        primary = observe_primary(connection)
        facts = observe_target(agent, request, primary, settings, is_local=is_local)
        plan = plan_basebackup(target, facts, settings.policy)
        if not isinstance(plan, Plan):
            raise as_error(plan)
        emit(PlanMade(plan.sentences()))
        deadlines = Deadlines(settings.timeout.stall_s, settings.timeout.step_s)
        Run(connection, agent, lambda: own_server(settings), emit, deadlines).carry_out(plan)
    emit(Finished("ready to be started", time.monotonic() - began))
    return plan


def start(target: Target, settings: Settings, emit: Emit) -> Started:
    """Start the target's server, see that it streams, and let go of its old data."""
    began = time.monotonic()
    node = settings.of_target(target)
    with (
        naming(target),
        own_server(settings) as connection,
        agent_of(target, settings, emit) as agent,
    ):
        primary = observe_primary(connection)
        request = Start(
            data_directory=target.data_directory,
            bin_directories=tuple(filter(None, [node.bin_directory, primary.bin_directory])),
            start_command=node.start_command,
            timeout_s=settings.timeout.start_s,
        )
        started = ask_to_start(agent, request)
        if started.is_standby and started.slot_name is not None:
            see_streaming(connection, agent, target, started, settings)
            drop_former_slot(connection, started.former_slot_name, emit)
        if agent.ask(DiscardOld(target.data_directory), bool, timeout_s=settings.timeout.step_s):
            emit(Said("agent", "the new server runs, so the old data was removed"))
    how = "it was running already" if started.was_running else "it accepts connections"
    emit(Finished(f"{how} on port {started.port}", time.monotonic() - began))
    return started


def ask_to_start(agent: Conversation, request: Start) -> Started:
    """Have the agent start the server; whoever loses it on the way cannot know what it did."""
    try:
        return agent.ask(request, Started, timeout_s=request.timeout_s + MARGIN_S)
    except (Cancelled, Unreachable) as error:
        if error.target is TargetState.UNTOUCHED:
            raise error.with_target(TargetState.UNKNOWN) from error
        raise


def see_streaming(
    connection: Connection,
    agent: Conversation,
    target: Target,
    started: Started,
    settings: Settings,
) -> None:
    """Wait until the standby streams, or fail with the end of its log."""
    slot_name, log = started.slot_name or "", started.log

    def read_log() -> str:
        if log is None:
            return ""
        return agent.ask(ReadLog(log), str, timeout_s=settings.agent.answer_s)

    wait_until_streaming(
        connection,
        slot_name,
        target_name=target.name,
        timeout_s=settings.timeout.streaming_s,
        read_log=read_log,
    )


def drop_former_slot(connection: Connection, name: str | None, emit: Emit) -> None:
    """Drop the slot by which the node streamed before: nobody else does, and it would keep WAL.

    A slot that we made for another node is that node's, whatever a cloned configuration says.
    """
    if name is None or OWN_SLOT.fullmatch(name):
        return
    for slot in connection.rows("slot", name=name):
        if slot["is_physical"] and not slot["is_active"]:
            connection.rows("drop_slot", name=name)
            emit(Said("primary", f"dropped replication slot {name}, which the node used before"))


@contextmanager
def naming(target: Target) -> Iterator[None]:
    """Let every failure name the node."""
    try:
        yield
    except RecoveryError as error:
        raise error.about(target.name) from error


@contextmanager
def own_server(settings: Settings) -> Iterator[Connection]:
    """Connect to the server that called; it says in the environment where it listens."""
    own = settings.primary
    user = {} if own.user is None else {"user": own.user}
    with connect({"dbname": own.dbname, **user}) as connection:
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
