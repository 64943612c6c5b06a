"""Take the target's steps of a plan, and take them back."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pgpool_recovery.agent import swap
from pgpool_recovery.agent.base_backup import copy_base_backup, verify_backup
from pgpool_recovery.agent.program import Stop
from pgpool_recovery.agent.standby import configure_standby
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.plan.step import (
    ConfigureStandby,
    CopyBaseBackup,
    DiscardWaiting,
    Places,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    TargetStep,
    VerifyBackup,
)

Emit = Callable[[Event], None]


class Steps:
    """The steps that one run has taken on this host; owns the lock of the target.

    Everything can be undone until `finish`, but for old data that was removed.
    """

    def __init__(self, stop: Stop, emit: Emit) -> None:
        self._stop = stop
        self._emit = emit
        self._places: Places | None = None
        self._lock = -1
        self._was_empty: Mapping[str, bool] | None = None
        self._has_put_back = False
        self._has_removed_old = False

    def take(self, step: TargetStep) -> None:
        """Take one step."""
        match step:
            case Reserve(places):
                self._lock = swap.reserve(places)
                self._places = places
            case DiscardWaiting(places):
                swap.discard_waiting(Path(places.data.workspace))
            case PutOldBack(places):
                self._has_put_back = True
                swap.put_waiting_back(Path(places.data.workspace))
            case RemoveOld(places):
                self._has_removed_old = True
                swap.remove_old_data(places)
            case CopyBaseBackup():
                copy_base_backup(step, self._stop, self._said("pg_basebackup"))
            case VerifyBackup():
                verify_backup(step, self._stop, self._said("pg_verifybackup"))
            case ConfigureStandby():
                configure_standby(step)
            case SwapIn(places):
                self._was_empty = swap.swap(places)

    def undo(self) -> TargetState:
        """Take back what was done, and say what is there now."""
        places, self._places = self._places, None
        if places is None:
            return TargetState.UNTOUCHED
        was_swapped = self._was_empty is not None
        if self._was_empty is not None:
            swap.put_back(places.all(), self._was_empty)
        swap.release(Path(places.data.workspace), self._lock)
        if self._has_removed_old:
            return TargetState.INCOMPLETE
        is_restored = was_swapped or self._has_put_back
        return TargetState.RESTORED if is_restored else TargetState.UNTOUCHED

    def finish(self) -> None:
        """Let go of the target: what was done stays, and so does what waits."""
        places, self._places = self._places, None
        if places is not None:
            swap.release(Path(places.data.workspace), self._lock)

    def _said(self, program: str) -> Callable[[str], None]:
        return lambda line: self._emit(Said(program, line))
