"""Take the steps of a plan in order, and undo what was done if one fails."""

import time
from contextlib import suppress

from pgpool_recovery.domain.error import (
    Bug,
    Cancelled,
    Filled,
    Incomplete,
    NoRoom,
    RecoveryError,
    Undone,
    Unreachable,
    as_failure,
)
from pgpool_recovery.domain.event import StepFinished, StepStarted, Undoing
from pgpool_recovery.domain.target_state import TargetState, with_next_step
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.place import Touches
from pgpool_recovery.facts.step.standby import CreateSlot, RepointRunning
from pgpool_recovery.facts.step.step import Step, TargetStep
from pgpool_recovery.facts.step.transfer import (
    CheckMade,
    CopyBaseBackup,
    Delta,
    Incremental,
    Rewind,
    RunCommand,
)
from pgpool_recovery.log.note import span
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.run.basebackup import copy
from pgpool_recovery.run.command import check_made, run_command
from pgpool_recovery.run.delta import apply_delta
from pgpool_recovery.run.incremental import apply_incremental
from pgpool_recovery.run.known_state import in_state
from pgpool_recovery.run.needed_wal import see_slot
from pgpool_recovery.run.party import Party, take_step
from pgpool_recovery.run.rewind import rewind
from pgpool_recovery.run.shield import shielded
from pgpool_recovery.talk.request.steps import Finish, Undo

TOLD_STATUSES = (1, 4, 5, 6, Undone.exit_status)
"""Exit statuses that mean the same for a run as for the failure in it."""


class Run:
    """A plan that is being carried out, step by step, and undone if a step fails.

    What the runner itself does for a method is in the module of that name.
    """

    def __init__(self, party: Party) -> None:
        self._party = party
        self._state = TargetState.UNKNOWN
        """The state of the target if the agent is lost now. Once the target is reserved, this is
        what the agent last reported, since an earlier run may have left it half changed. Once the
        agent was told to change what is at the path of the data, the state is unknown: the agent
        may be in the middle of that, or may have undone it by itself. Only the journal on the
        target tells (run/known_state.py)."""

    def carry_out(self, plan: Plan) -> None:
        """Take all steps; raise what went wrong, with the state in which the target is left."""
        step: Step | None = None
        try:
            for number, step in enumerate(plan.steps, start=1):
                self._party.emit(StepStarted(str(step), number, len(plan.steps)))
                began = time.monotonic()
                with span("step {} of {}: {}", number, len(plan.steps), step):
                    self._take(step, plan.point_of_no_return)
                self._party.emit(StepFinished(number, len(plan.steps), time.monotonic() - began))
            see_slot(self._party, plan)
            self._finish()
        except BaseException as error:
            # Whatever happened: a slot that stayed would fill the primary's disk.
            failure = as_failure(error) if isinstance(error, Exception) else None
            why, undone = failure.message if failure else repr(error), None
            try:
                with shielded():
                    undone = self._undo(why)
            except Cancelled as late:  # It was held back during the undo, or came just before.
                failure = late if failure is None else late.with_more(f"It had failed: {why}.")
            state, left = undone or self._undo(why)
            if failure is None:
                raise
            raise _ended(plan, step, failure, state, left) from error

    def _finish(self) -> None:
        self._state = (
            TargetState.UNKNOWN
        )  # If it is lost now, it may already have released the target.
        limit_s = self._party.deadlines.undo_s
        self._party.agent.ask(Finish(), timeout_s=limit_s, is_renewed_by_events=True)

    def _take(self, step: Step, final: Step | None) -> None:
        if isinstance(step, CreateSlot):
            self._party.slot.take(step)
            return
        if step.touches is Touches.PLACE:
            self._state = TargetState.UNKNOWN
        state = self._taken(step, is_final=step == final)
        if isinstance(step, Reserve) or self._state is not TargetState.UNKNOWN:
            self._state = state

    def _taken(self, step: TargetStep | Incremental, *, is_final: bool) -> TargetState:
        """Take a step on the target; return the state in which that left it."""
        party = self._party
        match step:
            case CopyBaseBackup():
                return copy(party, step)
            case Rewind():
                return rewind(party, step)
            case Incremental():
                return apply_incremental(party, step)
            case RunCommand():
                return run_command(party, step)
            case CheckMade():
                return check_made(party, step)
            case Delta():
                return apply_delta(party, step)
            case RepointRunning():
                state = self._ask(step)
                party.see_following(step)
                return state
        if is_final:
            party.slot.make_ready()
        return self._ask(step)

    def _ask(self, step: TargetStep) -> TargetState:
        return take_step(self._party, step)

    def _undo(self, why: str) -> tuple[TargetState, str | None]:
        """Undo everything; return the state of the target, and what could not be undone."""
        self._tell(f"undo what was done, because {why}")
        state = self._undo_target()
        return state, self._undo_slot()

    def _tell(self, sentence: str) -> None:
        """Report what is undone; a failure to report it does not stop the undo."""
        with suppress(BaseException):
            self._party.emit(Undoing(sentence))

    def _undo_target(self) -> TargetState:
        """Have the agent undo its steps, and return the state of the target afterwards.

        An agent that is busy, because a request was interrupted, undoes its steps when the
        connection is closed, and reports the result before it exits; it is given the time for that.
        If it reports nothing, it is not known whether it has undone them, since its host may have
        crashed. An agent that could not undo something tries once more when it exits, and only its
        journal tells how that ended. What is not known here is asked of another agent once this one
        has released the target (learning_state).
        """
        party = self._party
        if not party.agent.is_busy:
            try:
                return party.agent.ask(
                    Undo(), timeout_s=party.deadlines.undo_s, is_renewed_by_events=True
                )
            except Unreachable as lost:
                self._tell(f"the agent is undoing its steps by itself: {lost.message}")
            except BaseException as error:  # noqa: BLE001 - the slot must be undone all the same
                self._tell(f"the agent could not undo it: {as_failure(error).message}")
                self._state = TargetState.UNKNOWN
        said = party.agent.last_word() if party.agent.is_busy else None
        party.agent.close()
        return self._state if said is None else said

    def _undo_slot(self) -> str | None:
        """Free the slot, and drop it if it is new; return why a new one could not be dropped."""
        try:
            self._party.slot.undo()
        except BaseException as error:  # noqa: BLE001 - the first failure is the one to report
            failure = as_failure(error)
            why = f"could not free replication slot {self._party.slot.name}: "
            why += failure.detail or failure.message
            self._tell(why)
            return f"On the primary: {why}." if self._party.slot.has_created else None
        return None


def _ended(
    plan: Plan, step: Step | None, error: RecoveryError, state: TargetState, left: str | None
) -> RecoveryError:
    """Return the failure of the whole run: node, step, reason, and the state of the target."""
    what = "begin" if step is None else str(step)
    if left is not None:
        error = error.with_more(left)
    if isinstance(error, Cancelled):
        return in_state(error, state, f"The step was to {what}.")
    kind = type(error)
    if kind is not Bug and state in (TargetState.INCOMPLETE, TargetState.COPIED):
        kind = Filled if isinstance(error, NoRoom | Filled) else Incomplete
    elif kind is not RecoveryError and kind.exit_status not in TOLD_STATUSES:
        kind = Undone
    return kind(
        f"{plan.target_name}: could not {what}: {error.message}",
        detail=error.detail,
        hint=with_next_step(error.hint, state),
        target=state,
    )
