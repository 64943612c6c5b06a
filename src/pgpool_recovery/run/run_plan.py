"""The steps of a plan in their order; what has been done is undone when one fails."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf

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
from pgpool_recovery.domain.event import Event, Moved, Said, StepFinished, StepStarted, Undoing
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState, with_next_step
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.facts import LocalWal
from pgpool_recovery.facts.step import (
    CopyBaseBackup,
    CreateSlot,
    Incremental,
    KeepToPast,
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
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.summaries import newly_left_out
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.summaries import summaries_since, truncated_since
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.run.known_state import in_state
from pgpool_recovery.run.own_slot import Connect, OwnSlot
from pgpool_recovery.run.progress import CopyProgress
from pgpool_recovery.run.shield import shielded
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.protocol import (
    AbortIncremental,
    ApplyIncremental,
    BeginIncremental,
    Finish,
    ReadBase,
    TakeStep,
    Undo,
)

MAX_BACKUPS = 5

AT_ITS_PLACE = (PutOldBack, KeepToPast, Repoint, RepointRunning, TakeOut, PutInPlace, SwapIn)
"""Steps that change what stands where the server has its data, so that the agent has to undo them;
the others prepare something beside it, or are a point of no return."""

MAKES_DATA = (CopyBaseBackup, Rewind, Incremental)
"""Steps after which the standby goes on with WAL of the primary."""

Emit = Callable[[Event], None]
SeeFollowing = Callable[[RepointRunning], None]


@record
class Deadlines:
    """How long a transfer may not get on, and how long each of the others may take."""

    stall_s: float
    step_s: float
    undo_s: float
    answer_s: float
    connect_s: float


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
        self._see_following = see_following
        self._connection = connection
        self._agent = agent
        self._emit = emit
        self._deadlines = deadlines
        self._slot = OwnSlot(connection, connect, own_conninfo, emit, connect_s=deadlines.connect_s)
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
            self._see_slot(plan)
            self._agent.ask(Finish(), type(None), timeout_s=self._deadlines.undo_s)
        except BaseException as error:
            # Whatever it is: a slot that stays would fill the primary's disk.
            failure = as_failure(error) if isinstance(error, Exception) else None
            why, undone = failure.message if failure else repr(error), None
            try:
                with shielded():
                    undone = self._undo(why)
            except Cancelled as late:  # It had to wait for that, or has come just before; no more.
                failure = late if failure is None else late.with_more(f"It had failed: {why}.")
            state, left = undone or self._undo(why)
            if failure is None:
                raise
            raise _ended(plan, step, failure, state, left) from error

    def _take(self, step: Step) -> None:
        match step:
            case CreateSlot():
                self._slot.take(step)
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
                if step == self._point_of_no_return:
                    self._slot.make_ready()
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

    def _checkpoint(self) -> None:
        """Have the checkpoint done that a backup begins with, for as long as it takes.

        The backup's own one has little left to do then, and nothing that is silent meanwhile is
        taken for dead. Who may not order one waits for it within the limits of the backup.
        """
        try:
            self._connection.do("CHECKPOINT")
        except Unreachable as error:
            self._emit(Said("primary", f"no checkpoint before the backup: {error.in_a_line}"))

    def _copy(self, step: CopyBaseBackup) -> None:
        self._checkpoint()
        progress = CopyProgress(
            self._connection, step.slot_name, self._emit, stall_s=self._deadlines.stall_s
        )
        taking = TakeStep(step, self._deadlines.stall_s)
        # no limit: `progress` gives up what does not get on for stall_s
        self._agent.ask(taking, type(None), timeout_s=inf, on_tick=progress.look)
        self._emit(Moved(progress.done_bytes or step.size_bytes))

    def _rewind(self, step: Rewind) -> None:
        """Rewind, and see that the primary has what the directory then needs.

        A primary that was promoted just now has its former timeline in its control file until its
        next checkpoint, and pg_rewind of older releases takes that for the truth. By the same
        checkpoint the slot may have lost what the node needs afterwards.
        """
        self._connection.do("CHECKPOINT")
        self._slot.require_again()
        self._pass(step)
        self._ask_step(step)
        if not step.is_followed_by_more:
            self._see_wal(self._local_wal(step).needed(step.segment_bytes))

    def _local_wal(self, step: Rewind | Incremental) -> LocalWal:
        asked = ReadBase(
            step.places.data.new, step.bin_directory, step.timelines, step.segment_bytes
        )
        return self._agent.ask(asked, LocalWal, timeout_s=self._deadlines.answer_s)

    def _incremental(self, step: Incremental) -> None:
        """Begin a backup until no truncation is new, then let it be applied (C2).

        Only when the backup has started all summaries of what is before its start are there.
        """
        base = self._local_wal(step).base
        reject = summaries_since(self._connection, base.redo, read_wal(self._connection).history)
        if reject is not None:
            raise Undone(reject.message, detail=reject.detail, hint=reject.hint)
        known = truncated_since(self._connection, base.redo)
        self._checkpoint()
        for _ in range(MAX_BACKUPS):
            begin = BeginIncremental(step, tuple(known))
            start = self._agent.ask(begin, Point, timeout_s=self._deadlines.stall_s)
            new = newly_left_out(known, truncated_since(self._connection, base.redo, before=start))
            if not new:
                self._slot.require(start)
                self._pass(step)
                # A primary that is silent is noticed by the agent, and a disk that hangs here.
                self._agent.ask(
                    ApplyIncremental(step),
                    type(None),
                    timeout_s=self._deadlines.stall_s,
                    is_renewed_by_events=True,
                )
                return
            self._agent.ask(AbortIncremental(), type(None), timeout_s=self._deadlines.answer_s)
            known |= new
        raise Undone(f"relations were truncated during each of {MAX_BACKUPS} backups")

    def _see_slot(self, plan: Plan) -> None:
        """See that the slot has not ended, and that the WAL is there that the standby will need."""
        needed = plan.needed_segment
        if self._slot.renew() and needed is None:
            needed = self._needed_segment(plan)
        if needed is not None:
            self._see_wal(needed)

    def _needed_segment(self, plan: Plan) -> int | None:
        """Return from where on what was made needs WAL; None when that may be in an archive."""
        last = [step for step in plan.steps if isinstance(step, MAKES_DATA)]
        if not last:
            return None
        wal = read_wal(self._connection)
        asked = ReadBase(
            last[-1].places.data.path,
            last[-1].bin_directory,
            wal.history.timelines,
            wal.segment_bytes,
        )
        local = self._agent.ask(asked, LocalWal, timeout_s=self._deadlines.answer_s)
        return local.needed(wal.segment_bytes)

    def _see_wal(self, segment: int) -> None:
        """See that the WAL is there from which the standby will go on."""
        wal = read_wal(self._connection)
        if not wal.has(segment):
            begin = wal.begin_of(segment)
            raise Undone(f"the primary's WAL from {begin} on, which is needed now, is gone")

    def _undo(self, why: str) -> tuple[TargetState, str | None]:
        """Take everything back; return what is there now, and what could not be taken back."""
        self._tell(f"undo what was done, because {why}")
        state = self._undo_target()
        return state, self._undo_slot()

    def _tell(self, sentence: str) -> None:
        """Tell what is undone; who does not listen any more keeps nothing from being undone."""
        with suppress(BaseException):
            self._emit(Undoing(sentence))

    def _undo_target(self) -> TargetState:
        """Have the agent take its steps back; one that is busy does so when it loses us.

        Of one that says nothing any more nobody can know whether it did: it may have been killed.
        """
        has_failed = False
        if not self._agent.is_busy:
            try:
                return self._agent.ask(Undo(), TargetState, timeout_s=self._deadlines.undo_s)
            except Unreachable as lost:
                self._tell(f"the agent undoes by itself: {lost.message}")
            except BaseException as error:  # noqa: BLE001 - the slot has to be undone all the same
                has_failed = True
                self._tell(f"the agent could not undo it: {as_failure(error).message}")
        state = self._agent.last_word() if self._agent.is_busy else None
        self._agent.close()
        if state is not None and not has_failed:
            return state
        if (has_failed or self._has_changed_node) and self._state is TargetState.UNTOUCHED:
            return TargetState.UNKNOWN
        return self._state

    def _undo_slot(self) -> str | None:
        """Free the slot, and drop it if it is new; return why that could not be done."""
        try:
            self._slot.undo()
        except BaseException as error:  # noqa: BLE001 - what failed first is what has to be told
            failure = as_failure(error)
            why = f"could not free replication slot {self._slot.name}: "
            why += failure.detail or failure.message
            self._tell(why)
            return f"On the primary: {why}." if self._slot.has_created else None
        return None


def _ended(
    plan: Plan, step: Step | None, error: RecoveryError, state: TargetState, left: str | None
) -> RecoveryError:
    """Return the failure of the whole run: which node, which step, why, and what is there now."""
    what = "begin" if step is None else str(step)
    if left is not None:
        error = error.with_more(left)
    if isinstance(error, Cancelled):
        return in_state(error, state, f"The step was to {what}.")
    kind = type(error)
    if kind is not Bug and state in (TargetState.INCOMPLETE, TargetState.COPIED):
        kind = Filled if isinstance(error, NoRoom | Filled) else Incomplete
    elif kind is not RecoveryError and error.exit_status not in (1, 4, 5, 6, Undone.exit_status):
        kind = Undone
    return kind(
        f"{plan.target_name}: could not {what}: {error.message}",
        detail=error.detail,
        hint=with_next_step(error.hint, state),
        target=state,
    )
