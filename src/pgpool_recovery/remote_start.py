"""Start the target's server, verify it, and remove what the recovery replaced."""

import time
from collections.abc import Callable, Collection

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import (
    Cancelled,
    Incomplete,
    RecoveryError,
    Unreachable,
    as_failure,
)
from pgpool_recovery.domain.event import Emit, Finished, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.slot import IN_USE, SlotState, is_of_a_recovery, names_of
from pgpool_recovery.domain.standby import StreamFacts
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.archived_wal import FetchAhead
from pgpool_recovery.facts.facts import PrimaryFacts
from pgpool_recovery.observe.archived_wal import why_not_brought
from pgpool_recovery.observe.primary import observing_primary
from pgpool_recovery.observe.target import wanted_facts
from pgpool_recovery.plan.held_wal import gap_before_start
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.slots import drop_slot, slot_of_primary
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.run.called_agent import CalledAgent
from pgpool_recovery.run.former_slots import drop_former_slots
from pgpool_recovery.run.known_state import in_state, knowing
from pgpool_recovery.run.left_slot import drop_left_slot
from pgpool_recovery.run.own_server import own_server
from pgpool_recovery.run.own_slot import replace_ended
from pgpool_recovery.run.sessions import agent_of, leaving, naming
from pgpool_recovery.run.target_server import TargetServer
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.directory import DiscardOld
from pgpool_recovery.talk.request.server import Guarded, ReadSlotName, Started
from pgpool_recovery.verify.started import prove

SLOT_EVERY_S = 5.0
AWAITED = (
    "synchronized_standby_slots lists it, and logical decoding waits for it as long as it does"
)


def start(
    target: Target, settings: Settings, emit: Emit, called: CalledAgent | None = None
) -> Started:
    """Start the target's server, check that it streams, and remove its old data.

    Raise a RecoveryError that names the node and the state in which it is left. `called` is the
    agent of the target, if it was started earlier.
    """
    began = time.monotonic()
    with naming(target), own_server(settings) as connection:
        # While the agent is still logging in.
        observe = observing_primary(connection, looks_at_files=False)
        with agent_of(target, settings, emit, called) as agent:
            started, _ = start_prepared(target, settings, emit, connection, agent, observe)
    report_started(started, began, emit)
    return started


def report_started(started: Started, began: float, emit: Emit) -> None:
    """Report a server that was started, or was running; `began` is by the monotonic clock."""
    how = "it was running already" if started.was_running else "it accepts connections"
    emit(Finished(f"{how} on port {started.port}", time.monotonic() - began))


def start_prepared(
    target: Target,
    settings: Settings,
    emit: Emit,
    connection: Connection,
    agent: Conversation,
    observe: Callable[[], PrimaryFacts],
    ahead: FetchAhead | None = None,
) -> tuple[Started, StreamFacts | None]:
    """Do what `start_and_follow` does; a failure reports the state of the target after it."""
    try:
        return start_and_follow(target, settings, emit, connection, agent, observe, ahead)
    except Exception as error:
        raise _with_state(as_failure(error), agent, target, settings) from error


def _with_state(
    failure: RecoveryError, agent: Conversation, target: Target, settings: Settings
) -> RecoveryError:
    """Return a failure with the state of the node, whose data was in place before the start.

    The state that the agent has reported counts, unless the connection to it was lost: then the
    node is examined again.
    """
    is_open = failure.target in (TargetState.UNTOUCHED, TargetState.UNKNOWN)
    is_lost = agent.is_busy and not isinstance(failure, Cancelled)
    if is_open or is_lost:
        return knowing(failure, target, settings, agent, otherwise=TargetState.COPIED)
    return in_state(failure, failure.target)


def start_and_follow(
    target: Target,
    settings: Settings,
    emit: Emit,
    connection: Connection,
    agent: Conversation,
    observe: Callable[[], PrimaryFacts],
    ahead: FetchAhead | None = None,
) -> tuple[Started, StreamFacts | None]:
    """Start the server unless it is running, and if it is a standby, check that it streams.

    Return it with the stream that proved this. `observe` returns the primary's facts, and `ahead`
    is what is fetched from an archive for the server before it asks for that. The slots and
    the old data that the node no longer needs are removed last, after that proof.
    """
    primary = observe()
    see_slot(connection, agent, target, primary, settings, emit)
    server = TargetServer(agent, target, settings, emit)
    guard = guarded(settings, primary)
    started = server.start((primary.bin_directory,), guard, ahead)
    stream: StreamFacts | None = None
    with leaving(TargetState.STARTED):
        # If Pgpool-II writes to all nodes, a recovered node is rightly no standby.
        if guard is not None or (started.is_standby and started.slot_name is not None):
            keep = keeping_slot(connection, target, started.slot_name, emit)
            stream = prove(connection, agent, target, started, settings, emit, keep)
        drop_former_slot(connection, target, started.former_slot_name, emit, primary.awaited_slots)
        if started.is_standby and started.slot_name is not None:
            drop_former_slots(agent, target, primary, settings, emit)
            drop_left_slot(connection, target, started.slot_name, emit, primary.awaited_slots)
        if agent.ask(
            DiscardOld(target.data_directory),
            timeout_s=settings.timeout.stall_s,
            is_renewed_by_events=True,
        ):
            emit(Said("agent", "the new server runs, so the old data was removed"))
    return started, stream


def keeping_slot(
    connection: Connection, target: Target, name: str | None, emit: Emit
) -> Callable[[], None]:
    """Return what creates the slot of a node again if it ends before the node streams.

    While the node replays from an archive, which may take long, the slot is idle and retains ever
    more. Once it is invalidated, the node could never stream from it, although what was removed
    with it is in the archive.
    """
    looked = time.monotonic()

    def keep() -> None:
        nonlocal looked
        if time.monotonic() - looked > SLOT_EVERY_S:
            looked = time.monotonic()
            replace_ended(connection, target, name, emit)

    return keep


def guarded(settings: Settings, primary: PrimaryFacts) -> Guarded | None:
    """Return how the agent guards the server that it starts; None if Pgpool-II writes to all nodes.

    In those modes, a node that is not a standby of the primary is no danger.
    """
    if settings.pgpool.backend_clustering_mode.has_second_stage:
        return None
    history = None if primary.wal is None else primary.wal.history
    own, stop_s = settings.primary, settings.timeout.stop_s
    return Guarded(own.dbname, own.user, history, stop_s)


def see_slot(
    connection: Connection,
    agent: Conversation,
    target: Target,
    primary: PrimaryFacts,
    settings: Settings,
    emit: Emit,
) -> None:
    """Create the slot again if it was invalidated since the data was prepared.

    If WAL was removed with it that the server needs and its archive does not bring, raise
    Incomplete: the server would wait for that WAL until `start_s` is over.
    """
    asked = ReadSlotName(target.data_directory)
    slot_name = agent.ask(asked, timeout_s=settings.agent.answer_s)
    if not replace_ended(connection, target, slot_name, emit):
        return
    wanted = wanted_facts(target, primary, settings)
    facts = agent.ask(wanted, timeout_s=settings.timeout.observe_s, is_renewed_by_events=True)
    wal = read_wal(connection)
    gap = gap_before_start(facts, wal)
    why = None if gap is None else why_not_brought(agent, facts, gap, wal, settings)
    if gap is not None and why is not None:
        raise Incomplete(
            f"the primary's WAL from {wal.begin_of(gap.first)} on, which {target.name} needs, was "
            "lost with its replication slot",
            detail="The slot was invalidated before the server was started, which would wait for "
            f"that WAL forever. {why}",
            hint="Recover the node again. A slot is invalidated by max_slot_wal_keep_size and, "
            "since PostgreSQL 18, by idle_replication_slot_timeout.",
            target=TargetState.COPIED,
        )


def drop_former_slot(
    connection: Connection,
    target: Target,
    name: str | None,
    emit: Emit,
    awaited: Collection[str] = (),
) -> None:
    """Drop the slot from which the node streamed before: unused, it would retain WAL forever.

    Only the node can name that slot, and it may be wrong. So the slot is dropped only if its name
    shows that it was made for this node (domain/slot.py); any other is only reported. A slot that a
    recovery created for another node belongs to that node, even if a cloned configuration names it.
    A slot in `awaited` is kept as well: it is in synchronized_standby_slots, and without it logical
    decoding would wait forever.
    """
    slot = None if name is None else slot_of_primary(connection, name)
    if slot is None or slot.name == target.slot_name or is_of_a_recovery(slot.name):
        return
    try:
        why = AWAITED if name in awaited else drop_slot(connection, slot, names_of(target))
    except Unreachable as error:
        why = f"it could not be dropped: {error.detail or error.message}"
    if why is None:
        emit(Said("primary", f"dropped replication slot {slot.name}, which the node used before"))
    elif why != IN_USE:
        emit(Said("primary", slot_stays(connection, target, slot, why)))


def slot_stays(connection: Connection, target: Target, slot: SlotState, why: str) -> str:
    """Report what a slot that a node claims to have used retains, and how to drop it."""
    kept = sum(row["behind_bytes"] or 0 for row in connection.rows("slot", name=slot.name))
    return (
        f"replication slot {slot.name} stays, because {why}: {target.name} reports that it used "
        f"it before; it retains {pretty_size(kept)} of WAL. If it is no longer needed: "
        f"SELECT pg_drop_replication_slot('{slot.name}')"
    )
