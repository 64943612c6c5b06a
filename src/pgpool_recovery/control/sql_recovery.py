"""A recovery that Pgpool-II does not run: the same functions, called by a separate process."""

import contextlib
import json
import os
import select
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pgpool_recovery.control.cluster import Node
from pgpool_recovery.control.detached_process import leave_terminal
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.plan import call_parameters, target_of
from pgpool_recovery.domain.error import (
    RecoveryError,
    Unreachable,
    as_failure,
    error_of_record,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.plan.agreement import CALLS, session_name
from pgpool_recovery.plan.harm import Harm

READ_BYTES = 65536
LINE, FAILURE, DONE = "line", "failure", "done"
FIRST_STAGE_SCRIPT = "recovery_1st_stage"
LONGEST_S = 1e9
"""The most that statement_timeout can be counts: 25 days."""


@dataclass
class SqlRecovery:
    """One recovery, in a child process that does not depend on the terminal.

    PostgreSQL ends a statement whose client is gone, so the client must not be the process that the
    person may end. The child starts a session of its own, which no hang-up and no Ctrl-C reaches.
    It also runs `finish`, which follows the functions.
    """

    primary: Primary
    node: Node
    first_stage: str = FIRST_STAGE_SCRIPT
    finish: Callable[[], None] | None = None
    agreed: Harm | None = None
    """What was agreed to; the session that calls the functions announces it in its name."""
    _pid: int = 0
    _pipe: int = -1
    _rest: bytes = b""
    _lines: list[str] = field(default_factory=list)
    _failure: RecoveryError | None = None
    _has_result: bool = False

    def start(self) -> None:
        """Fork; the child never returns from here."""
        reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reading)
            _be_the_child(self, writing)
        os.close(writing)
        self._pipe = reading

    def has_ended(self, *, within_s: float) -> bool:
        """Return whether it has ended; wait at most `within_s` for that."""
        ready, _, _ = select.select([self._pipe], [], [], within_s)
        if not ready:
            return False
        read = os.read(self._pipe, READ_BYTES)
        if read:
            self._take(read)
            return False
        os.close(self._pipe)
        os.waitpid(self._pid, 0)
        return True

    def lines(self) -> list[str]:
        """Return the notices since the last call."""
        lines, self._lines = self._lines, []
        return lines

    def result(self) -> None:
        """Raise why it failed, if it did."""
        if self._failure is not None:
            raise self._failure
        if not self._has_result:
            raise Unreachable(
                "the process that called the recovery ended without a result",
                hint=f'Check "pgpool-recovery watch {self.node.node_id}".',
                target=TargetState.UNKNOWN,
            )

    def _take(self, read: bytes) -> None:
        *whole, self._rest = (self._rest + read).split(b"\n")
        for line in whole:
            kind, value = json.loads(line)
            if kind == LINE:
                self._lines.append(value)
            elif kind == FAILURE:
                self._failure = error_of_record(value)
            else:
                self._has_result = True


def _be_the_child(recovery: SqlRecovery, pipe: int) -> None:
    """Call the functions, write the result to the pipe, and exit."""
    try:
        leave_terminal()
        _call(recovery, pipe)
        if recovery.finish is not None:
            recovery.finish()
        _write(pipe, DONE, None)
    except RecoveryError as error:
        _write(pipe, FAILURE, error.as_record())
    except BaseException as error:  # noqa: BLE001 - the parent has to learn of any failure
        _write(pipe, FAILURE, as_failure(error).as_record())
    finally:
        os._exit(0)


def _call(recovery: SqlRecovery, pipe: int) -> None:
    primary = recovery.primary
    parameters = call_parameters(primary.node, recovery.node)

    def tell(line: str) -> None:
        _write(pipe, LINE, line)

    # It may take as long as it gets on, which the runner sees to (stall_s).
    with primary.connect(Feature.RECOVERY, answer_s=LONGEST_S) as connection:
        if recovery.agreed is not None:
            name = session_name(CALLS, target_of(recovery.node), recovery.agreed)
            connection.row("name_session", name=name)
        connection.call("first_stage", tell, script=recovery.first_stage, **parameters)
        connection.call("remote_start", tell, **parameters)


def _write(pipe: int, kind: str, value: Any) -> None:
    """Write a record; it is fine if the pipe is closed, because the person may have left."""
    with contextlib.suppress(BrokenPipeError):
        data = json.dumps([kind, value]).encode() + b"\n"
        while data:
            data = data[os.write(pipe, data) :]
