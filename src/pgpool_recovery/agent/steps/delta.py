"""Take the step of a delta on the side that receives blocks: guard, expect, and commit.

Either it changes the directory in place, or it completes what an interrupted full copy left beside
the data, which is then not touched.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.agent.steps.see_files import see_files
from pgpool_recovery.domain.directory_state import Change, Changed, LeftAlone, target_state
from pgpool_recovery.domain.error import (
    Filled,
    Incomplete,
    NoRoom,
    RecoveryError,
    Refused,
    Undone,
)
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.steps import BeginDelta, CommitDelta, DeltaBegun, Expect

if TYPE_CHECKING:
    from pgpool_recovery.agent.method.delta import DeltaWrite


class DeltaStep:
    """The comparison that was begun, until it is committed or forgotten."""

    def __init__(self, stop: Stop, emit: Emit) -> None:
        self._stop = stop
        self._emit = emit
        self._delta: DeltaWrite | None = None

    def begin(self, request: BeginDelta, journal: Journal) -> DeltaBegun:
        """Guard the directory, and return where receivers may write from now on."""
        from pgpool_recovery.agent.method.delta import DeltaWrite

        see_files(Path(request.step.places.data.new), journal, self._stop)
        if request.step.is_whole:
            return self._begin_whole(request, journal)
        delta = DeltaWrite(request, journal.workspace, self._stop)
        journal.take(Change(Method.DELTA))
        try:
            target = delta.begin()
        except RecoveryError as error:
            if error.target is TargetState.UNTOUCHED:
                journal.take(LeftAlone())
            raise
        self._delta = delta
        return DeltaBegun(target, processors=os.cpu_count() or 1)

    def _begin_whole(self, request: BeginDelta, journal: Journal) -> DeltaBegun:
        """Go on from what an interrupted full copy left, beside the data, which is not touched."""
        from pgpool_recovery.agent.method.delta import DeltaWrite
        from pgpool_recovery.agent.method.partial_copy import make_whole

        if journal.copy is None:
            raise Refused("what an earlier run had copied is gone", hint="Recover the node again.")
        make_whole(request.step.places, self._stop)
        delta = DeltaWrite(request, journal.workspace, self._stop)
        try:
            target = delta.begin()
        except RecoveryError as error:
            raise _beside(error, journal) from error
        self._delta = delta
        return DeltaBegun(target, processors=os.cpu_count() or 1)

    def expect(self, request: Expect) -> None:
        """Remember what receivers will have written when they are done."""
        self._begun().expect(request)

    def commit(self, request: CommitDelta, journal: Journal) -> TargetState:
        """Make the directory one that a standby can start in; return the state of the target."""
        delta = self._begun()
        self._delta = None
        if request.step.is_whole:
            try:
                removed = delta.commit(request, self._emit)
            except RecoveryError as error:
                raise _beside(error, journal) from error
        else:
            removed = delta.commit(request, self._emit)
            journal.take(Changed())
        self._emit(Said("agent", f"{removed} files removed that the source does not have"))
        return target_state(journal.state)

    def forget(self) -> None:
        """Expect nothing more; the state of the directory is in the journal."""
        self._delta = None

    def _begun(self) -> "DeltaWrite":
        if self._delta is None:
            raise Refused("no comparison of blocks was begun")
        return self._delta


def _beside(error: RecoveryError, journal: Journal) -> RecoveryError:
    """Return the failure to write a copy: the data that it is beside is as it was."""
    kinds: dict[type[RecoveryError], type[RecoveryError]] = {Incomplete: Undone, Filled: NoRoom}
    kind, state = kinds.get(type(error), type(error)), target_state(journal.state)
    return kind(error.message, detail=error.detail, hint=error.hint, target=state)
