"""The slot of a run: made, held back, looked at before it counts, made anew, and undone.

A slot can end while nothing is wrong with it: a checkpoint takes its WAL when it is beyond
max_slot_wal_keep_size, and invalidates one that was idle for long (18). Whoever then goes on has
removed the old data for a copy that can never follow.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.slot import LOST, USABLE, is_of_a_recovery, names_of
from pgpool_recovery.domain.wal import Point, parse_lsn
from pgpool_recovery.facts.step import CreateSlot
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.wal import hold_wal
from pgpool_recovery.run.primary_steps import create_slot, drop_own_slot, end_copy, end_session

Connect = Callable[[], AbstractContextManager[Connection]]


class OwnSlot:
    """The one slot that a run works with; none before the step that makes it."""

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
        """Make the slot, or take the one that still is as the plan has seen it.

        That WAL cannot be held is told, and seen again before the end.
        """
        self.name, self._has_created = step.name, step.is_new
        self._hold_from = step.hold_from
        state = None if step.is_new else self._state()
        if state is None or _has_ended(state):
            self._create(step.name)
        self._hold_or_tell()

    def renew(self) -> bool:
        """Make the slot anew when it has ended; say whether that was so.

        A checkpoint that was running already when the slot came to hold more has decided before
        what to remove.
        """
        if self.name is None:
            return False
        state = self._state()
        if state is not None and not _has_ended(state):
            return False
        self._create(self.name)
        self._emit(Said("primary", _anew(self.name, state)))
        self._hold_or_tell()
        return True

    def make_ready(self) -> None:
        """See before a step that cannot be undone that the slot will keep what comes after it.

        Where it may keep only so much, a checkpoint comes first: that of a copy is then over in a
        moment, in which little is written. Raises Undone when the WAL cannot be held.
        """
        state = self._state()
        if state is not None and state["room_bytes"] is not None:
            self._connection.do("CHECKPOINT")
        self.require_again()

    def require_again(self) -> None:
        """Have the slot hold what it was to hold from the begin; Undone when it cannot."""
        self.require(self._hold_from)

    def require(self, point: Point | None) -> None:
        """Have the slot hold the WAL from a position on, over the next checkpoint; None: from now.

        Raises Undone when it cannot.
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
        """Let the slot hold the WAL from the position on, unless it does."""
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
        """Give up WAL that nobody needs, when the slot may keep little more than that.

        A new slot begins at the last checkpoint's REDO, which may be far back already: the
        checkpoint of the copy itself would end it.
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
        status = "It is gone." if state is None else f"It is {_status(state)}."
        limit = "" if limit_mb < 0 else f" max_slot_wal_keep_size is {limit_mb} MB."
        return Undone(
            f"replication slot {self.name} does not keep the primary's WAL from {begin} on",
            detail=status + limit,
            hint=None
            if limit_mb < 0
            else "Raise max_slot_wal_keep_size on the primary; a reload takes it over.",
        )

    def undo(self) -> None:
        """Free the slot, and drop it if it is new.

        Over a new connection, since a cancel may have interrupted the old one.
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
        """Whether the slot is this run's own."""
        return self._has_created


def replace_ended(connection: Connection, target: Target, name: str | None, emit: Emit) -> bool:
    """Make the slot anew by which a node is going to stream, when it has ended; say whether it had.

    The node says which slot it is: it has to be one of a recovery, and one that has ended keeps
    nothing for anybody. Of one that is not there nothing is known, and nothing made.
    """
    if name is None or not (is_of_a_recovery(name) or name in names_of(target)):
        return False
    for state in connection.rows("slot", name=name):
        if state["is_physical"] and not state["is_active"] and _has_ended(state):
            create_slot(connection, name)
            emit(Said("primary", _anew(name, state)))
            return True
    return False


def _has_ended(state: Mapping[str, Any]) -> bool:
    """Say whether a slot keeps nothing any more; "unreserved" is before the next checkpoint."""
    return state["wal_status"] in (None, LOST)


def _begins_after(state: Mapping[str, Any], point: Point | None) -> bool:
    if point is None:
        return False
    return state["restart_lsn"] is None or parse_lsn(state["restart_lsn"]) > point.lsn


def _anew(name: str, state: Mapping[str, Any] | None) -> str:
    if state is None:
        why = "was gone"
    elif state["wal_status"] is None:
        why = "kept no WAL"  # As the samples make it: it begins when somebody streams.
    else:
        why = f"had ended ({_status(state)})"
    return f"replication slot {name} {why} and is created anew"


def _status(state: Mapping[str, Any]) -> str:
    reason = state["invalidation_reason"]
    return str(state["wal_status"]) + ("" if reason is None else f", {reason}")
