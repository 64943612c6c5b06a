"""Record a run while it goes on, over a separate connection, without ever obstructing the run."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Bug, Cancelled, RecoveryError, Unreachable, as_failure
from pgpool_recovery.domain.event import Emit, Event, Progress, Said, fit
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.history.run import RunState, end_columns, event_row, storable
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.extension import RUNS
from pgpool_recovery.run.own_server import own_conninfo
from pgpool_recovery.run.shield import shielded

# A recovery must not wait for the standby that it recovers, for a lock, or for the disk at each
# event. history_end.sql flushes everything that was written before it, too.
SESSION = {"synchronous_commit": "off", "lock_timeout": "1s"}
ANSWER_S = 2.0
RECOVERY_ID, BACKEND_PID = "PGPOOL_RECOVERY_ID", "PGPOOL_RECOVERY_BACKEND_PID"
LEFT_RUNNING = ("attach", "repoint")
"""Methods after which the server is already running (facts/policy.py)."""
NOT_ON_RECORD = "the recovery is not recorded"
ALL_EVENTS = 100_000
MAX_BYTES = 16 * 2**20
"""The limit for the events of a stage as text; talk/allowance.py limits the agent's before."""


@record
class Stage:
    """A stage of a recovery: its target, and the state of the run (`leads_to`) once it succeeds.

    `continues`: it continues the run of the first stage, if there is one.
    """

    target: Target
    leads_to: str
    continues: bool = False
    primary_host: str | None = None
    primary_port: int | None = None


class RunRecord:
    """The record of one run; when it can no longer be written, that is reported once."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._only_ascii = False
        self._id = 0
        self._number = 0
        self._bytes = 0
        self._is_full = False
        self._state = RunState()
        self._continues = False
        self.node_id: NodeId | None = None
        """The node id that an earlier stage was given."""
        self.left: TargetState | None = None
        """The state in which an earlier stage, or this one so far, left the target, if known."""
        self._reached: TargetState | None = None

    def open(
        self, stage: Stage, settings: Settings, server: Mapping[str, str] | None = None
    ) -> None:
        """Connect and write the first row, or nothing if the extension is missing.

        `server` is how to connect to the primary, if that is not the own server.

        Nothing is recorded in modes where Pgpool-II writes to all nodes, either: the rows would
        exist on one node only.
        """
        mode = settings.pgpool.backend_clustering_mode
        if mode.has_second_stage:
            return
        where = {
            **(own_conninfo(settings) if server is None else server),
            "dbname": settings.history.database,
        }
        try:
            connection = self._stack.enter_context(
                connect(
                    where,
                    timeout_s=settings.timeout.connect_s,
                    answer_s=ANSWER_S,
                    settings=SESSION,
                )
            )
            found = connection.extension()
            if found is not None and found.foreign is not None:
                self._say(f"{NOT_ON_RECORD}: {found.foreign.fact}. {found.foreign.advice}")
                return
            if found is None or RUNS not in found.members:
                self._say(
                    f"{NOT_ON_RECORD}: database {settings.history.database} has no extension "
                    "pgpool_recovery 2.0"
                )
                return
            self._only_ascii = not found.is_utf8
            self._begin(connection, stage, settings)
        except Unreachable as error:
            self._give_up(error)

    def _begin(self, connection: Connection, stage: Stage, settings: Settings) -> None:
        target = stage.target
        who: dict[str, Any] = self._storable(
            {
                "host": target.host,
                "data_directory": target.data_directory,
                "backend_pid": _number(os.environ.get(BACKEND_PID)),
            }
        )
        found = connection.rows("history_continue", **who) if stage.continues else []
        if found:
            self._number = found[0]["events"]
            runs_already = found[0]["method"] in LEFT_RUNNING or found[0]["is_started"]
            self.left = TargetState.STARTED if runs_already else TargetState.COPIED
        else:
            connection.rows("history_end_lost", **who, node_id=target.node_id)
            found = connection.rows(
                "history_begin",
                **who,
                recovery_id=os.environ.get(RECOVERY_ID),
                node_id=target.node_id,
                port=target.port,
                primary_host=self._storable(stage.primary_host),
                primary_port=stage.primary_port,
                state="starting" if stage.continues else "running",
            )
            connection.rows("history_trim", keep=settings.history.keep_runs)
        self._id, self.node_id = found[0]["id"], found[0]["node_id"]
        self._connection = connection
        self._continues = stage.continues

    def take(self, event: Event) -> None:
        """Write an event; only the latest progress is kept."""
        before, self._state = self._state, self._state.after(event)
        if self._connection is None or self._is_full or self._number >= ALL_EVENTS:
            return
        changed = self._state.columns() if self._state != before and not self._continues else {}
        if isinstance(event, Progress):
            if changed:
                self._write("history_update", **changed)
        else:
            row = event_row(event, only_ascii=self._only_ascii)
            self._bytes += sum(len(text.encode()) for text in row.values())
            if self._bytes > MAX_BYTES:
                self._is_full = True
                self._say(
                    f"the record has more than {pretty_size(MAX_BYTES)}; "
                    "from here on only the outcome is recorded"
                )
                return
            self._number += 1
            query = "history_change" if changed else "history_event"
            self._write(query, number=self._number, **row, **changed)

    def go_on(self, state: TargetState, sentence: str) -> None:
        """Record that the steps of the plan are done, and what this stage goes on to do.

        `state` is what the target has reached: it is recorded when the stage ends, and reported by
        a failure that does not know better.
        """
        self.left = self._reached = state
        self._state = self._state.beginning(sentence)
        self._write("history_update", **self._state.columns())

    def end(self, error: RecoveryError | None, *, done: str) -> None:
        """Write how the stage ended; `done` is the state of the run if it succeeded."""
        if self._connection is not None:
            columns = end_columns(error, done=done, left=self._reached)
            if error is not None:
                self._number += 1
                line = error.message if isinstance(error, Bug) else error.in_a_line
                needed = self._storable({"needed": dict(error.data)}) if error.data else {}
                data = json.dumps({"exit_status": error.exit_status, **needed})
                self._write(
                    "history_event", number=self._number, kind="failed", line=line, data=data
                )
            self._write("history_end", **columns)
        self._connection = None
        self._stack.close()

    def _write(self, query: str, **values: object) -> None:
        if self._connection is None:
            return
        try:
            # A cancel in the middle of a query would make the connection unusable.
            with shielded():
                self._connection.rows(query, id=self._id, **self._storable(values))
        except Unreachable as error:
            self._connection = None
            self._give_up(error)

    def _storable(self, value: Any) -> Any:
        return storable(value, only_ascii=self._only_ascii)

    def _give_up(self, error: Unreachable) -> None:
        what = "the recovery is no longer recorded" if self._id else NOT_ON_RECORD
        self._say(f"{what}: {error.in_a_line}")

    def _say(self, line: str) -> None:
        self._emit(Said("history", line))


@record
class RecordedTarget:
    """The target, with its node id if the first stage was given it, and an `emit`."""

    target: Target
    emit: Emit
    goes_on: Callable[[TargetState, str], None]
    """Records the state that the target has reached, and what the stage goes on to do."""


@contextmanager
def on_record(
    stage: Stage,
    settings: Settings,
    telling: Callable[[str], Emit],
    server: Mapping[str, str] | None = None,
) -> Iterator[RecordedTarget]:
    """Yield an `emit` that reports and records events, and record how the block ends.

    `telling` returns the `emit` that reports the events of a target of the given name. `server` is
    as in `RunRecord.open`. A failure after the target was changed gets the state that is known.
    """
    record = RunRecord(telling(stage.target.name))
    failure: RecoveryError | None = None
    try:
        with shielded():  # A cancel that arrives meanwhile ends this block, and is recorded, too.
            record.open(stage, settings, server)
        target = replace(
            stage.target,
            node_id=record.node_id if stage.target.node_id is None else stage.target.node_id,
        )
        emit = telling(target.name)

        def tell_and_write(event: Event) -> None:
            fitting = fit(event)
            emit(fitting)
            record.take(fitting)

        yield RecordedTarget(target, tell_and_write, record.go_on)
    except Exception as error:
        failure = as_failure(error)
        is_changed = stage.continues or record.left is not None
        if is_changed and failure.target is TargetState.UNTOUCHED:
            failure = failure.with_target(record.left or TargetState.UNKNOWN)
            raise failure from error
        raise
    except BaseException as error:
        failure = Cancelled(f"the recovery was ended by {error!r}", target=TargetState.UNKNOWN)
        raise
    finally:
        with shielded():
            record.end(failure, done=stage.leads_to)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
