"""Manage the slot of a run: create it, make it retain WAL, check it, create it again, undo it.

A slot can be invalidated without any fault: a checkpoint removes its WAL beyond
max_slot_wal_keep_size, and invalidates a slot that has been idle for too long (PostgreSQL 18). A
run that did not notice would have removed the old data for a copy that can never follow.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.slot import LOST, USABLE, is_of_a_recovery, names_of
from pgpool_recovery.domain.wal import Point, parse_lsn
from pgpool_recovery.facts.step.standby import CreateSlot
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.wal import hold_wal
from pgpool_recovery.run.primary_steps import create_slot, drop_own_slot, end_copy, end_session

Connect = Callable[[], AbstractContextManager[Connection]]


class OwnSlot:
    """The one slot that a run works with; there is none before the step that creates it."""

    def __init__(
        self,
        connection: Connection,
        connect: Connect,
        own_conninfo: Mapping[str, str],
        emit: Emit,
        *,
        connect_s: float,
    ) -> None:
        self._connection = connection
        self._connect = connect
        self._own_conninfo = own_conninfo
        self._emit = emit
        self._connect_s = connect_s
        self._hold_from: Point | None = None
        self._has_created = False
        self._is_creating = False
        self.name: str | None = None

    def take(self, step: CreateSlot) -> None:
        """Create the slot, or use the existing one if it is still as it was when the plan was made.

        If it cannot be made to retain the WAL, that is only reported here; it is checked again
        before the end of the run.
        """
        self.name, self._has_created = step.name, step.is_new
        self._hold_from = step.hold_from
        state = None if step.is_new else self._state()
        if state is None or _has_ended(state):
            self._create(step.name)
        self._hold_or_tell()

    def renew(self) -> bool:
        """Create the slot again if it is gone or no longer usable; return whether it was.

        This can happen even if it retains enough: a checkpoint that was already running when the
        slot was made to retain more had decided before that what to remove.
        """
        if self.name is None:
            return False
        state = self._state()
        if state is not None and not _has_ended(state):
            return False
        self._create(self.name)
        self._emit(Said("primary", _created_again(self.name, state)))
        self._hold_or_tell()
        return True

    def make_ready(self) -> None:
        """Check before a step that cannot be undone that the slot will retain the WAL from there.

        If what it may retain is limited, a checkpoint is performed first: the copy's own one is
        then over in a moment, in which little WAL is written. Raises Undone if the WAL cannot be
        retained.
        """
        state = self._state()
        if state is not None and state["room_bytes"] is not None:
            self._connection.do("CHECKPOINT")
        self.require_again()

    def require_again(self) -> None:
        """Make the slot retain again what it retained at first; raise Undone if it cannot."""
        self.require(self._hold_from)

    def require(self, point: Point | None) -> None:
        """Make the slot retain the WAL from `point` on, past the next checkpoint; None: from now.

        Raises Undone if it cannot.
        """
        if self.name is None:
            return
        self._hold_from = point
        self.renew()
        try:
            self._hold()
        except Unreachable as error:
            raise Undone(error.message, detail=error.detail) from error
        state = self._state()
        if state is None or state["wal_status"] not in USABLE or _begins_after(state, point):
            raise self._unheld(state)

    def _hold_or_tell(self) -> None:
        try:
            self._hold()
        except Unreachable as error:
            self._emit(Said("primary", error.in_a_line))

    def _hold(self) -> None:
        """Make the slot retain the WAL from the position on, unless it already does."""
        if self.name is None:
            return
        state = self._state()
        if state is None:
            raise Unreachable(f"replication slot {self.name} is gone")
        if self._hold_from is None:
            self._let_go_of_old_wal(self.name, state)
        elif _begins_after(state, self._hold_from):
            hold_wal(self._own_conninfo, self.name, self._hold_from, connect_s=self._connect_s)

    def _let_go_of_old_wal(self, name: str, state: Mapping[str, Any]) -> None:
        """Release WAL that is not needed, if the slot may retain hardly more than that.

        A new slot begins at the last checkpoint's REDO position, which may already be far back: the
        checkpoint of the copy itself would invalidate it.
        """
        if state["room_bytes"] is not None and state["room_bytes"] < state["behind_bytes"]:
            self._connection.rows("advance_slot", name=name)

    def _create(self, name: str) -> None:
        self._has_created = self._is_creating = True
        create_slot(self._connection, name)
        self._is_creating = False

    def _state(self) -> dict[str, Any] | None:
        if self.name is None:
            return None
        return next(iter(self._connection.rows("slot", name=self.name)), None)

    def _unheld(self, state: Mapping[str, Any] | None) -> Undone:
        limit_mb = self._connection.row("slot_wal_limit")["limit_mb"]
        begin = "now" if self._hold_from is None else str(self._hold_from)
        status = "It is gone." if state is None else f"Its status is {_status(state)}."
        limit = "" if limit_mb < 0 else f" max_slot_wal_keep_size is {limit_mb} MB."
        return Undone(
            f"replication slot {self.name} does not retain the primary's WAL from {begin} on",
            detail=status + limit,
            hint=None
            if limit_mb < 0
            else "Raise max_slot_wal_keep_size on the primary, and reload its configuration.",
        )

    def undo(self) -> None:
        """Free the slot, and drop it if it is new.

        A new connection is used, since a cancel may have interrupted a query on the old one.
        """
        if self.name is None:
            return
        with self._connect() as connection:
            if self._is_creating:
                end_session(connection, self._connection.backend_pid)
            end_copy(connection, self.name)
            if self._has_created:
                drop_own_slot(connection, self.name)

    @property
    def has_created(self) -> bool:
        """Whether this run created the slot."""
        return self._has_created


def replace_ended(connection: Connection, target: Target, name: str | None, emit: Emit) -> bool:
    """Create the slot from which a node will stream again if it is no longer usable.

    Return whether it was. `name` is what the node reports, so it must be the name of a slot that a
    recovery creates; and an unusable slot retains nothing that something else could rely on. A slot
    that does not exist is not created, since nothing is known about it.
    """
    if name is None or not (is_of_a_recovery(name) or name in names_of(target)):
        return False
    for state in connection.rows("slot", name=name):
        if state["is_physical"] and not state["is_active"] and _has_ended(state):
            create_slot(connection, name)
            emit(Said("primary", _created_again(name, state)))
            return True
    return False


def _has_ended(state: Mapping[str, Any]) -> bool:
    """Return whether a slot retains nothing; an "unreserved" one does until the next checkpoint."""
    return state["wal_status"] in (None, LOST)


def _begins_after(state: Mapping[str, Any], point: Point | None) -> bool:
    if point is None:
        return False
    return state["restart_lsn"] is None or parse_lsn(state["restart_lsn"]) > point.lsn


def _created_again(name: str, state: Mapping[str, Any] | None) -> str:
    if state is None:
        why = "it was gone"
    elif state["wal_status"] is None:
        why = "it retained no WAL"  # The sample scripts create it so: it begins with streaming.
    else:
        why = f"it was no longer usable ({_status(state)})"
    return f"replication slot {name} was created again: {why}"


def _status(state: Mapping[str, Any]) -> str:
    reason = state["invalidation_reason"]
    return str(state["wal_status"]) + ("" if reason is None else f", {reason}")
