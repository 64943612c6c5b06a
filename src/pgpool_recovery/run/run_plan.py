"""The steps of a plan in their order; what has been done is undone when one fails."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pgpool_recovery.agent.conversation import Conversation
from pgpool_recovery.agent.protocol import Finish, TakeStep, Undo
from pgpool_recovery.domain.error import Cancelled, Incomplete, RecoveryError, Undone, Unreachable
from pgpool_recovery.domain.event import Event, StepFinished, StepStarted, Undoing
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.step import CopyBaseBackup, CreateSlot, RemoveOld, Step
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.run.primary_steps import create_slot, drop_slot, end_copy
from pgpool_recovery.run.progress import CopyProgress
from pgpool_recovery.run.shield import shielded

UNDO_TIMEOUT_S = 600.0

Emit = Callable[[Event], None]
Connect = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Deadlines:
    """How long a copy may not get on, and how long any other step may take."""

    stall_s: float
    step_s: float


class Run:
    """One plan on its way."""

    def __init__(
        self,
        connection: Connection,
        agent: Conversation,
        connect: Connect,
        emit: Emit,
        deadlines: Deadlines,
    ) -> None:
        self._connection = connection
        self._agent = agent
        self._connect = connect
        self._emit = emit
        self._deadlines = deadlines
        self._used_slot: str | None = None
        self._has_created_slot = False
        self._old_is_gone = False

    def carry_out(self, plan: Plan) -> None:
        """Take all steps. Raises what went wrong, with the state in which the target now is."""
        step: Step | None = None
        try:
            for number, step in enumerate(plan.steps, start=1):
                self._emit(StepStarted(str(step), number, len(plan.steps)))
                began = time.monotonic()
                self._take(step)
                self._emit(StepFinished(number, len(plan.steps), time.monotonic() - began))
            self._agent.ask(Finish(), type(None), timeout_s=UNDO_TIMEOUT_S)
        except RecoveryError as error:
            with shielded():
                state = self._undo(error.message)
            raise _ended(plan, step, error, state) from error

    def _take(self, step: Step) -> None:
        self._old_is_gone = self._old_is_gone or isinstance(step, RemoveOld)
        if isinstance(step, CreateSlot):
            self._used_slot, self._has_created_slot = step.name, True
            create_slot(self._connection, step.name)
        elif isinstance(step, CopyBaseBackup):
            self._used_slot = step.slot_name
            progress = CopyProgress(
                self._connection, step.slot_name, self._emit, stall_s=self._deadlines.stall_s
            )
            self._agent.ask(TakeStep(step), type(None), timeout_s=None, on_tick=progress.look)
        else:
            self._agent.ask(TakeStep(step), type(None), timeout_s=self._deadlines.step_s)

    def _undo(self, why: str) -> TargetState:
        """Take everything back and return what is there now."""
        self._emit(Undoing(f"undo what was done, because {why}"))
        state = self._undo_target()
        if self._used_slot is not None:
            self._undo_slot(self._used_slot)
        return state

    def _undo_target(self) -> TargetState:
        """Have the agent take its steps back; one that is busy does so when it loses us."""
        if not self._agent.is_busy:
            try:
                return self._agent.ask(Undo(), TargetState, timeout_s=UNDO_TIMEOUT_S)
            except Unreachable as lost:
                self._emit(Undoing(f"the agent undoes by itself: {lost.message}"))
        self._agent.close()
        return TargetState.INCOMPLETE if self._old_is_gone else TargetState.UNTOUCHED

    def _undo_slot(self, name: str) -> None:
        """Free the slot, and drop it if it is new.

        Over a new connection, since a cancel may have interrupted the old one.
        """
        try:
            with self._connect() as connection:
                end_copy(connection, name)
                if self._has_created_slot:
                    drop_slot(connection, name)
        except Unreachable as error:
            self._emit(Undoing(f"could not free replication slot {name}: {error.detail}"))


def _ended(
    plan: Plan, step: Step | None, error: RecoveryError, state: TargetState
) -> RecoveryError:
    """Return the failure of the whole run: which node, which step, why, and what is there now."""
    if isinstance(error, Cancelled):
        return error.with_target(state)
    kind = type(error)
    if state is TargetState.INCOMPLETE:
        kind = Incomplete
    elif kind is not RecoveryError and error.exit_status not in (4, 5, 6):
        kind = Undone
    return kind(
        f"{plan.target_name}: could not {step}: {error.message}",
        detail=error.detail,
        hint=error.hint,
        target=state,
    )
