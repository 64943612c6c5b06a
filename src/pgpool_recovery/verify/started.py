"""Prove that a started server is a standby of this primary, and decide what happens if it is not.

A server that we started and that is not a sound standby is stopped: it is of no use as it is, and
it may have what no other node has, or accept writes. A server that was already running may be in
use: clients may be connected to it, and an unexpected primary may have the only copy of what they
wrote. So it is stopped only if the policy allows that for running servers (`stop_running`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import NotStreaming, RecoveryError, Unverified
from pgpool_recovery.domain.event import Emit, Event, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.standby import (
    WAITING,
    Fault,
    StandbyFacts,
    StreamFacts,
    Trouble,
    UpstreamFacts,
    is_delayed,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.policy import Policy, StopRunning
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.plan.in_place import MAX_FAILED_STARTS
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.server import AskStandby, Believe, Started, StopAtOnce
from pgpool_recovery.verify.end_of_log import end_of_log
from pgpool_recovery.verify.missing_wal import MissingWal
from pgpool_recovery.verify.streaming import Expected, SeenStandby, watch

if TYPE_CHECKING:
    from pgpool_recovery.domain.wal import Lsn

ANOTHER_METHOD = "Recover the node again: another method will be used."
FIX_IT = "Fix what its log reports, then recover the node again."
AGAIN = "Then recover the node again."


def prove(
    connection: Connection,
    agent: Conversation,
    target: Target,
    started: Started,
    settings: Settings,
    emit: Emit,
    on_tick: Callable[[], None] = lambda: None,
) -> StreamFacts | None:
    """Check that the server is a standby of this primary; return its stream there, if it has one.

    `on_tick` is called repeatedly until then. Raises NotStreaming or Unverified, with the reason
    and what happened to the server.
    """
    timeout, patience = settings.timeout, settings.agent.answer_s
    own = settings.primary
    asked = AskStandby(
        target.data_directory, own.dbname, own.user, started.bin_directory, started.slot_name
    )

    def ask() -> StandbyFacts:
        return agent.ask(asked, timeout_s=patience)

    limits = (timeout.streaming_s, timeout.catch_up_s, timeout.stall_s)
    expected = Expected(target.name, started.slot_name, *limits)
    replay = Replay(emit)
    missing = MissingWal(connection, lambda said: emit(Said("runner", f"{target.name}: {said}")))

    def look(node: StandbyFacts, upstream: UpstreamFacts) -> None:
        replay.look(node, upstream)
        missing.look(node, upstream)

    seen = watch(connection, expected, ask, on_tick, look)
    if seen.trouble is None or (seen.trouble.fault is Fault.BEHIND and seen.moves):
        agent.ask(Believe(target.data_directory), timeout_s=patience)
    if seen.trouble is not None:
        detail = _joined(seen.trouble.detail, missing.sentence)
        trouble = replace(seen.trouble, detail=detail)
        raise _failure(agent, target, started, settings, seen, trouble)
    if is_delayed(seen.node):
        emit(_told_of_delay(target, seen.node))
    return seen.stream


class Replay:
    """Reports how far a standby has replayed that does not stream yet, as from an archive."""

    def __init__(self, emit: Emit) -> None:
        self._meter = Meter(emit)
        self._first: Lsn | None = None

    def look(self, node: StandbyFacts, upstream: UpstreamFacts) -> None:
        """Take an observation."""
        reached = node.replayed
        if reached is None or upstream.written is None or node.receiver is not None:
            return
        self._first = reached if self._first is None else self._first
        self._meter.tell(reached - self._first, upstream.written - self._first)


def _told_of_delay(target: Target, node: StandbyFacts) -> Event:
    later = f"replays with a delay of {node.delay_ms / 1000:g} s (recovery_min_apply_delay)"
    if node.receiver == WAITING:
        return Said(
            "primary",
            f"{target.name} has all of timeline {node.receiving}, {later}, and will stream the "
            "next timeline once it has replayed that one",
        )
    return Said("primary", f"{target.name} streams, and {later}")


def _failure(
    agent: Conversation,
    target: Target,
    started: Started,
    settings: Settings,
    seen: SeenStandby,
    trouble: Trouble,
) -> RecoveryError:
    """Return why the node failed the check, after stopping its server if that is necessary."""
    end = end_of_log(agent, started.log, timeout_s=settings.agent.answer_s)
    if trouble.fault is Fault.BEHIND and seen.moves:
        return _late(target, trouble, end)
    if trouble.fault is Fault.UNSEEN:
        return Unverified(
            f"{target.name} {trouble.what}",
            detail=_joined(trouble.detail, end),
            hint="Let the operating-system user of the server log in there over its socket "
            "(pg_hba.conf).",
            target=TargetState.STARTED,
        )
    if started.was_running and not may_stop(trouble.fault, settings.policy):
        return NotStreaming(
            f"{target.name} {trouble.what}",
            detail=_joined(
                trouble.detail, "Its server was already running, so it was left running.", end
            ),
            hint=_joined("Keep clients away from it, and stop it.", trouble.hint, AGAIN),
            target=TargetState.STARTED,
        )
    return _stopped(agent, target, started, settings, trouble, end)


def _stopped(
    agent: Conversation,
    target: Target,
    started: Started,
    settings: Settings,
    trouble: Trouble,
    end: str | None,
) -> RecoveryError:
    """Stop the server, and return the error that says why."""
    times = times_failed(trouble.fault)
    stopping = StopAtOnce(
        target.data_directory, (started.bin_directory,), settings.timeout.stop_s, times
    )
    patience = 2 * settings.timeout.stop_s + settings.agent.answer_s
    is_orderly = agent.ask(stopping, timeout_s=patience)
    agent.ask(Believe(target.data_directory), timeout_s=settings.agent.answer_s)
    how = "Its server was stopped" + ("." if is_orderly else ", in immediate mode.")
    advice = ANOTHER_METHOD if times >= MAX_FAILED_STARTS else AGAIN if trouble.hint else None
    return NotStreaming(
        f"{target.name} {trouble.what}",
        detail=_joined(trouble.detail, how, end),
        hint=_joined(trouble.hint, advice) or FIX_IT,
        target=TargetState.STOPPED,
    )


def times_failed(fault: Fault) -> int:
    """Return how many failed starts a fault counts as; MAX_FAILED_STARTS mean distrust of the data.

    Data that is not the primary's, or whose replay makes no progress, will not be better next time.
    A standby that does not stream may only be cut off by the network, and a primary is recognized
    by its data the next time.
    """
    if not fault.is_of_data:
        return 0
    return 1 if fault in (Fault.NOT_STREAMING, Fault.PRIMARY) else MAX_FAILED_STARTS


def may_stop(fault: Fault, policy: Policy) -> bool:
    """Return whether the policy allows stopping a server that we have not started."""
    if fault is Fault.FOREIGN:
        return False
    is_standby = fault is not Fault.PRIMARY
    allowed = policy.stop_running
    return allowed is StopRunning.ALWAYS or (allowed is StopRunning.STANDBY and is_standby)


def _late(target: Target, trouble: Trouble, end: str | None) -> Unverified:
    return Unverified(
        f"{target.name} streams, but has not caught up",
        detail=_joined(trouble.detail, end),
        hint="Wait for it, then attach the node. catch_up_s in the settings limits that wait.",
        target=TargetState.STARTED,
    )


def _joined(*texts: str | None) -> str | None:
    return "\n".join(text for text in texts if text) or None
