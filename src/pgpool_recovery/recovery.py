"""The story: observe, plan, run, verify."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from pgpool_recovery.agent.conversation import Conversation
from pgpool_recovery.agent.protocol import (
    AskRunning,
    DiscardOld,
    FindLog,
    LogPosition,
    NoteFailedStart,
    ReadLog,
    ReadSlotName,
    Started,
)
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Incomplete, NotStreaming, Refused, Undone, Unreachable
from pgpool_recovery.domain.event import Event, Finished, PlanMade, Said, megabytes
from pgpool_recovery.domain.node import RecoveryRequest, Target
from pgpool_recovery.domain.slot import IN_USE, SlotState, is_of_a_recovery, names_of
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.observe.link import measure_link
from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.observe.target import observe_target, wanted_facts
from pgpool_recovery.plan.facts import PrimaryFacts, TargetFacts
from pgpool_recovery.plan.held_wal import waits_in_vain_from
from pgpool_recovery.plan.ladder import make_plan
from pgpool_recovery.plan.plan import PassedOver, Plan
from pgpool_recovery.plan.policy import Method
from pgpool_recovery.plan.rejection import Rejection, as_error
from pgpool_recovery.plan.running import Running
from pgpool_recovery.plan.step import RepointRunning
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.slots import drop_slot, slot_of_primary
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.run.former_slots import drop_former_slots
from pgpool_recovery.run.own_slot import replace_ended
from pgpool_recovery.run.parties import agent_of, leaving, naming, own_conninfo, own_server
from pgpool_recovery.run.run_plan import Deadlines, Run
from pgpool_recovery.run.target_server import TargetServer
from pgpool_recovery.ssh.locality import is_this_host
from pgpool_recovery.verify.following import wait_until_following
from pgpool_recovery.verify.streaming import Expected, wait_until_streaming

Emit = Callable[[Event], None]
AWAITED = (
    "synchronized_standby_slots names it, and logical decoding waits for it until that is changed"
)


def recover(request: RecoveryRequest, settings: Settings, emit: Emit) -> Plan:
    """Prepare the target as a standby of this primary, up to the start of its server.

    A method that fails is followed by the next one that is possible, from facts that are observed
    anew.
    """
    began = time.monotonic()
    target = request.target
    with (
        naming(target),
        own_server(settings) as connection,
        agent_of(target, settings, emit) as agent,
    ):
        server = TargetServer(agent, target, settings, emit)
        failed: tuple[PassedOver, ...] = ()
        state = TargetState.UNTOUCHED
        with server.running_again():
            while True:
                with leaving(state):
                    plan = choose(request, settings, emit, connection, agent, server, failed, state)
                    emit(PlanMade(plan.method, plan.sentences()))
                try:
                    carry_out(plan, connection, agent, settings, emit)
                    break
                except (Undone, Incomplete, Refused) as error:
                    if plan.method is Method.BASEBACKUP or not settings.policy.fall_down:
                        raise
                    if agent.is_busy:
                        raise
                    state = error.target
                    reason = Rejection(error.message, error.detail, error.hint)
                    failed = (*failed, PassedOver(plan.method, (reason,)))
                    with leaving(state):
                        emit(Said("runner", f"{plan.method} failed, what else is possible?"))
    emit(Finished("ready to be started", time.monotonic() - began))
    return plan


def choose(
    request: RecoveryRequest,
    settings: Settings,
    emit: Emit,
    connection: Connection,
    agent: Conversation,
    server: TargetServer,
    failed: tuple[PassedOver, ...],
    state: TargetState,
) -> Plan:
    """Return the plan for what is observed now, or raise why there is none."""
    target = request.target
    while True:
        primary = observe_primary(connection)
        facts = observe_target(connection, agent, request, primary, settings)
        plan = make_plan(target, facts, settings.policy, failed)
        if isinstance(plan, Plan) or not server.stop_if_allowed(facts, failed):
            break
        say_asides(plan, emit)
    if depends_on_link(plan, target):
        link = measure_link(agent, timeout_s=settings.agent.answer_s)
        facts = replace(facts, link_bytes_per_s=link)
        plan = make_plan(target, facts, settings.policy, failed)
    if not isinstance(plan, Plan):
        is_half = state is TargetState.UNTOUCHED and facts.target.changing is not None
        raise as_error(plan).with_target(TargetState.INCOMPLETE if is_half else state)
    return plan


def say_asides(reasons: tuple[Rejection, ...], emit: Emit) -> None:
    """Say why a server could not go on running: of one that is stopped no plan says that."""
    for reason in reasons:
        if reason.is_aside:
            emit(Said("runner", reason.message))


def depends_on_link(plan: Plan | tuple[Rejection, ...], target: Target) -> bool:
    """Say whether it is worth the time to measure the link: only a full copy is compressed."""
    is_copy = isinstance(plan, Plan) and plan.method is Method.BASEBACKUP
    return is_copy and not is_this_host(target.host)


def carry_out(
    plan: Plan, connection: Connection, agent: Conversation, settings: Settings, emit: Emit
) -> None:
    """Take the steps of a plan; what was done is undone when one fails."""
    timeout = settings.timeout
    deadlines = Deadlines(
        stall_s=timeout.stall_s,
        step_s=timeout.step_s,
        undo_s=timeout.undo_s,
        answer_s=settings.agent.answer_s,
        connect_s=timeout.connect_s,
    )
    connect = lambda: own_server(settings, timeout.undo_s)  # noqa: E731 - a cancel needs its own
    own = own_conninfo(settings)

    def see(step: RepointRunning) -> None:
        see_following(connection, agent, plan, step, settings, emit)

    Run(connection, agent, connect, emit, deadlines, own, see).carry_out(plan)


def see_following(
    connection: Connection,
    agent: Conversation,
    plan: Plan,
    step: RepointRunning,
    settings: Settings,
    emit: Emit,
) -> None:
    """See that a standby that was led here while it ran streams, or fail with the end of its log.

    Whether it then catches up is for the start to say, as of every standby.
    """
    patience, directory = settings.agent.answer_s, step.places.data.path
    asked = AskRunning(directory, step.login["dbname"], step.login.get("user"))

    def ask() -> Running:
        said: Running = agent.ask(asked, Running, timeout_s=patience)  # type: ignore[arg-type]
        return said

    def read_log() -> str:
        log: LogPosition | None = agent.ask(
            FindLog(directory),
            LogPosition | None,  # type: ignore[arg-type]
            timeout_s=patience,
        )
        return "" if log is None else agent.ask(ReadLog(log), str, timeout_s=patience)

    timeout = settings.timeout
    expected = Expected(plan.target_name, step.slot_name, timeout.streaming_s, timeout.catch_up_s)
    if not wait_until_following(connection, expected, ask, read_log, agent.check):
        emit(Said("primary", f"{plan.target_name} streams, and has not caught up yet"))


def start(target: Target, settings: Settings, emit: Emit) -> Started:
    """Start the target's server, see that it streams, and let go of its old data."""
    began = time.monotonic()
    with (
        naming(target),
        own_server(settings) as connection,
        agent_of(target, settings, emit) as agent,
    ):
        started = start_and_follow(target, settings, emit, connection, agent)
    how = "it was running already" if started.was_running else "it accepts connections"
    emit(Finished(f"{how} on port {started.port}", time.monotonic() - began))
    return started


def start_and_follow(
    target: Target, settings: Settings, emit: Emit, connection: Connection, agent: Conversation
) -> Started:
    """Start the server unless it runs, and see it stream when it is a standby."""
    primary = observe_primary(connection)
    see_slot(connection, agent, target, primary, settings, emit)
    server = TargetServer(agent, target, settings, emit)
    with noting_failure(agent, target, settings):
        started = server.start((primary.bin_directory,))
        with leaving(TargetState.STARTED):
            if started.is_standby and started.slot_name is not None:
                see_streaming(connection, agent, target, started, settings)
    with leaving(TargetState.STARTED):
        drop_former_slot(connection, target, started.former_slot_name, emit, primary.awaited_slots)
        if started.is_standby and started.slot_name is not None:
            drop_former_slots(agent, target, primary, settings, emit)
        if agent.ask(DiscardOld(target.data_directory), bool, timeout_s=settings.timeout.step_s):
            emit(Said("agent", "the new server runs, so the old data was removed"))
    return started


def see_slot(
    connection: Connection,
    agent: Conversation,
    target: Target,
    primary: PrimaryFacts,
    settings: Settings,
    emit: Emit,
) -> None:
    """See that the slot has not ended since the data was prepared; make it anew when it has.

    Where the WAL went with it, a server that needs that to become consistent would wait for it
    until `start_s` is over.
    """
    asked = ReadSlotName(target.data_directory)
    slot_name: str | None = agent.ask(asked, str | None, timeout_s=settings.agent.answer_s)  # type: ignore[arg-type]
    if not replace_ended(connection, target, slot_name, emit):
        return
    wanted = wanted_facts(target, primary, settings)
    facts = agent.ask(wanted, TargetFacts, timeout_s=settings.timeout.observe_s)
    begin = waits_in_vain_from(facts, read_wal(connection))
    if begin is not None:
        raise Incomplete(
            f"the primary's WAL from {begin} on, which {target.name} needs, went with its "
            "replication slot",
            detail="The slot had ended when the server was to be started, which would wait in "
            "vain.",
            hint="Recover the node again. What ends a slot is max_slot_wal_keep_size, and from "
            "PostgreSQL 18 on idle_replication_slot_timeout.",
            target=TargetState.COPIED,
        )


@contextmanager
def noting_failure(agent: Conversation, target: Target, settings: Settings) -> Iterator[None]:
    """Have it written down that the server does not follow; that it ended the agent notes itself.

    So the same method is not tried for ever.
    """
    try:
        yield
    except NotStreaming:
        note = NoteFailedStart(target.data_directory)
        with leaving(TargetState.STARTED):
            agent.ask(note, type(None), timeout_s=settings.agent.answer_s)
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

    timeout = settings.timeout
    expected = Expected(target.name, slot_name, timeout.streaming_s, timeout.catch_up_s)
    wait_until_streaming(connection, expected, read_log)


def drop_former_slot(
    connection: Connection,
    target: Target,
    name: str | None,
    emit: Emit,
    awaited: Collection[str] = (),
) -> None:
    """Drop the slot by which the node streamed before: nobody else does, and it would keep WAL.

    The node says which one that is, so it is dropped only when the primary knows it to be the
    node's (domain/slot.py); of any other a person is told. A slot that we made for another node is
    that node's, whatever a cloned configuration says. One of `awaited`, for which logical decoding
    waits, stays as well: nobody is to look for it in vain.
    """
    slot = None if name is None else slot_of_primary(connection, name)
    if slot is None or slot.name == target.slot_name or is_of_a_recovery(slot.name):
        return
    try:
        why = AWAITED if name in awaited else drop_slot(connection, slot, names_of(target))
    except Unreachable as error:
        why = f"it could not be dropped: {error.detail}"
    if why is None:
        emit(Said("primary", f"dropped replication slot {slot.name}, which the node used before"))
    elif why != IN_USE:
        emit(Said("primary", slot_stays(connection, target, slot, why)))


def slot_stays(connection: Connection, target: Target, slot: SlotState, why: str) -> str:
    """Say what a slot keeps that a node claims to have used, and how a person drops it."""
    kept = sum(row["behind_bytes"] or 0 for row in connection.rows("slot", name=slot.name))
    return (
        f"replication slot {slot.name} stays, because {why}: {target.name} says that it used it "
        f"before; it keeps {megabytes(kept)} of WAL. If nobody needs it: "
        f"SELECT pg_drop_replication_slot('{slot.name}')"
    )
