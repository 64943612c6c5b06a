"""The steps of a plan in their order; what has been done is undone when one fails."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pgpool_recovery.agent.conversation import Conversation
from pgpool_recovery.agent.protocol import (
    AbortIncremental,
    ApplyIncremental,
    BeginIncremental,
    Finish,
    ReadBase,
    TakeStep,
    Undo,
)
from pgpool_recovery.domain.error import (
    Cancelled,
    Incomplete,
    RecoveryError,
    Refused,
    Undone,
    Unreachable,
)
from pgpool_recovery.domain.event import Event, Moved, Said, StepFinished, StepStarted, Undoing
from pgpool_recovery.domain.target_state import RECOVER_AGAIN, TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.plan.facts import LocalWal
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.step import (
    CopyBaseBackup,
    CreateSlot,
    Incremental,
    PutInPlace,
    PutOldBack,
    Repoint,
    RepointRunning,
    Rewind,
    Step,
    SwapIn,
    TakeOut,
    TargetStep,
)
from pgpool_recovery.plan.summaries import newly_left_out
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.summaries import summaries_since, truncated_since
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.run.primary_steps import create_slot, drop_own_slot, end_copy, hold
from pgpool_recovery.run.progress import CopyProgress
from pgpool_recovery.run.shield import shielded

UNDO_TIMEOUT_S = 600.0
ANSWER_S = 60.0
MAX_BACKUPS = 5

AT_ITS_PLACE = (PutOldBack, Repoint, RepointRunning, TakeOut, PutInPlace, SwapIn)
"""Steps that change what stands where the server has its data, so that the agent has to undo them;
the others prepare something beside it, or are a point of no return."""

Emit = Callable[[Event], None]
Connect = Callable[[], AbstractContextManager[Connection]]
SeeFollowing = Callable[[RepointRunning], None]


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
        own_conninfo: Mapping[str, str],
        see_following: SeeFollowing,
    ) -> None:
        self._own_conninfo = own_conninfo
        self._see_following = see_following
        self._connection = connection
        self._agent = agent
        self._connect = connect
        self._emit = emit
        self._deadlines = deadlines
        self._used_slot: str | None = None
        self._has_created_slot = False
        self._has_changed_node = False
        self._point_of_no_return: Step | None = None
        self._state = TargetState.UNTOUCHED

    def carry_out(self, plan: Plan) -> None:
        """Take all steps. Raises what went wrong, with the state in which the target now is."""
        step: Step | None = None
        self._point_of_no_return = plan.point_of_no_return
        self._state = plan.begins_with
        try:
            for number, step in enumerate(plan.steps, start=1):
                self._emit(StepStarted(str(step), number, len(plan.steps)))
                began = time.monotonic()
                self._take(step)
                self._emit(StepFinished(number, len(plan.steps), time.monotonic() - began))
            if plan.needed_segment is not None:
                self._see_wal(plan.needed_segment)
            self._renew_slot()
            self._agent.ask(Finish(), type(None), timeout_s=UNDO_TIMEOUT_S)
        except RecoveryError as error:
            with shielded():
                state = self._undo(error.message)
            raise _ended(plan, step, error, state) from error

    def _take(self, step: Step) -> None:
        match step:
            case CreateSlot():
                self._create_slot(step)
            case CopyBaseBackup():
                self._copy(step)
            case Rewind():
                self._rewind(step)
            case Incremental():
                self._incremental(step)
            case RepointRunning():
                self._ask_step(step)
                self._see_following(step)
            case _:
                self._pass(step)
                self._ask_step(step)

    def _pass(self, step: Step) -> None:
        """Note that what comes now cannot be undone, when it is that step."""
        if step == self._point_of_no_return:
            self._state = TargetState.INCOMPLETE

    def _ask_step(self, step: TargetStep) -> None:
        self._has_changed_node = self._has_changed_node or isinstance(step, AT_ITS_PLACE)
        taking = TakeStep(step, self._deadlines.stall_s)
        self._agent.ask(taking, type(None), timeout_s=self._deadlines.step_s)

    def _create_slot(self, step: CreateSlot) -> None:
        self._used_slot, self._has_created_slot = step.name, step.is_new
        create_slot(self._connection, step)
        if step.hold_from is not None:
            self._hold(step.name, step.hold_from)

    def _copy(self, step: CopyBaseBackup) -> None:
        self._used_slot = step.slot_name
        progress = CopyProgress(
            self._connection, step.slot_name, self._emit, stall_s=self._deadlines.stall_s
        )
        taking = TakeStep(step, self._deadlines.stall_s)
        self._agent.ask(taking, type(None), timeout_s=None, on_tick=progress.look)
        self._emit(Moved(progress.done_bytes or step.size_bytes))

    def _rewind(self, step: Rewind) -> None:
        """Rewind, and see that the primary has what the directory then needs.

        A primary that was promoted just now has its former timeline in its control file until its
        next checkpoint, and pg_rewind of older releases takes that for the truth.
        """
        self._connection.do("CHECKPOINT")
        self._renew_slot()
        self._pass(step)
        self._ask_step(step)
        if not step.is_followed_by_more:
            self._see_wal(self._local_wal(step).needed(step.segment_bytes))

    def _local_wal(self, step: Rewind | Incremental) -> LocalWal:
        asked = ReadBase(
            step.places.data.new, step.bin_directory, step.timelines, step.segment_bytes
        )
        return self._agent.ask(asked, LocalWal, timeout_s=ANSWER_S)

    def _incremental(self, step: Incremental) -> None:
        """Begin a backup until no truncation is new, then let it be applied (C2).

        Only when the backup has started all summaries of what is before its start are there.
        """
        base = self._local_wal(step).base
        reject = summaries_since(self._connection, base.redo, read_wal(self._connection).history)
        if reject is not None:
            raise Undone(reject.message, detail=reject.detail, hint=reject.hint)
        known = truncated_since(self._connection, base.redo)
        for _ in range(MAX_BACKUPS):
            begin = BeginIncremental(step, tuple(known))
            start = self._agent.ask(begin, Point, timeout_s=self._deadlines.stall_s)
            new = newly_left_out(known, truncated_since(self._connection, base.redo, before=start))
            if not new:
                self._pass(step)
                # A backup that stands still is noticed by the connection itself.
                self._agent.ask(ApplyIncremental(step), type(None), timeout_s=None)
                return
            self._agent.ask(AbortIncremental(), type(None), timeout_s=ANSWER_S)
            known |= new
        raise Undone(f"relations were truncated during each of {MAX_BACKUPS} backups")

    def _hold(self, slot_name: str, point: Point) -> None:
        """Let the slot hold older WAL; that it cannot is told, and seen again before the end."""
        try:
            hold(self._connection, slot_name, point, self._own_conninfo)
        except Unreachable as error:
            self._emit(Said("primary", f"{error.message}: {error.detail}"))

    def _renew_slot(self) -> None:
        """Make the slot anew when a checkpoint that was running already has given up its WAL.

        Such a one has decided what to remove before the slot came to hold more.
        """
        if self._used_slot is None:
            return
        for slot in self._connection.rows("slot", name=self._used_slot):
            if slot["restart_lsn"] is None:
                create_slot(self._connection, CreateSlot(self._used_slot, is_new=True))
                self._has_created_slot = True
                self._emit(Said("primary", f"created replication slot {self._used_slot} anew"))

    def _see_wal(self, segment: int) -> None:
        """See that the WAL is there from which the standby will go on."""
        wal = read_wal(self._connection)
        if not wal.has(segment):
            begin = wal.begin_of(segment)
            raise Undone(f"the primary's WAL from {begin} on, which is needed now, is gone")

    def _undo(self, why: str) -> TargetState:
        """Take everything back and return what is there now."""
        self._emit(Undoing(f"undo what was done, because {why}"))
        state = self._undo_target()
        if self._used_slot is not None:
            self._undo_slot(self._used_slot)
        return state

    def _undo_target(self) -> TargetState:
        """Have the agent take its steps back; one that is busy does so when it loses us.

        Whether it did cannot be learnt then: it may have been killed.
        """
        if not self._agent.is_busy:
            try:
                return self._agent.ask(Undo(), TargetState, timeout_s=UNDO_TIMEOUT_S)
            except Unreachable as lost:
                self._emit(Undoing(f"the agent undoes by itself: {lost.message}"))
        self._agent.close()
        if self._has_changed_node and self._state is TargetState.UNTOUCHED:
            return TargetState.UNKNOWN
        return self._state

    def _undo_slot(self, name: str) -> None:
        """Free the slot, and drop it if it is new.

        Over a new connection, since a cancel may have interrupted the old one.
        """
        try:
            with self._connect() as connection:
                end_copy(connection, name)
                if self._has_created_slot:
                    drop_own_slot(connection, name)
        except (Unreachable, Refused) as error:
            why = error.detail or error.message
            self._emit(Undoing(f"could not free replication slot {name}: {why}"))


def _ended(
    plan: Plan, step: Step | None, error: RecoveryError, state: TargetState
) -> RecoveryError:
    """Return the failure of the whole run: which node, which step, why, and what is there now."""
    if isinstance(error, Cancelled):
        return error.with_target(state)
    kind = type(error)
    if state in (TargetState.INCOMPLETE, TargetState.COPIED):
        kind = Incomplete
    elif kind is not RecoveryError and error.exit_status not in (4, 5, 6):
        kind = Undone
    return kind(
        f"{plan.target_name}: could not {step}: {error.message}",
        detail=error.detail,
        hint=error.hint or (RECOVER_AGAIN if state is TargetState.UNKNOWN else None),
        target=state,
    )
