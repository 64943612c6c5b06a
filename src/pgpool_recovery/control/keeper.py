"""Keep what a person agreed to on the primary until the recovery has read it.

Pgpool-II passes nothing from us to the first stage. So a session on the primary announces the
agreement in its name (plan/agreement.py). A separate process holds the session, because a Ctrl-C, a
lost terminal or a kill between the request and the first stage must not leave a recovery that
nothing limits.
"""

import contextlib
import json
import os
import select
import signal
import time
from types import TracebackType
from typing import Self

from pgpool_recovery.control.cluster import Node, connect_to
from pgpool_recovery.control.detached_process import leave_terminal
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.plan import target_of
from pgpool_recovery.domain.error import Unreachable, as_failure, error_of_record
from pgpool_recovery.files.text import text_of
from pgpool_recovery.plan.agreement import AGREED, ASKS, LOCK_CLASS, PROGRAM, session_name
from pgpool_recovery.plan.harm import Harm
from pgpool_recovery.postgres.connection import Connection

HELD_S = 120.0
"""How long an agreement outlives the command that made it. Pgpool-II calls the first stage within
seconds; a later recovery of the node must not be covered by it."""
HELD_BEHIND_CHECKPOINT_S = 3600.0
"""The same in modes in which Pgpool-II writes to all nodes: there it runs a CHECKPOINT before the
first stage, however long that takes (start_recovery() in recovery.c)."""
LOOK_EVERY_S = 0.5
QUIT, HELD = b"quit", b"held"


class Keeper:
    """A session that first announces that a plan is being agreed to, and then what was agreed.

    As a context manager it ends with its block. But if a signal ends the block after the request
    was sent, the session stays until the recovery has read the agreement, or for `held_s`.
    """

    def __init__(self, primary: Primary, node: Node, *, held_s: float = HELD_S) -> None:
        self._primary = primary
        self._target = target_of(node)
        self._held_s = held_s
        self._pid = 0
        self._reading = self._writing = -1
        self.is_sent = False
        """Whether Pgpool-II was asked, or may have been, in this run or an earlier one."""

    def __enter__(self) -> Self:
        """Fork; the child never returns from here. Raises why the child cannot connect."""
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(from_child)
            os.close(to_child)
            self._be_the_child(from_parent, to_parent)
        os.close(to_parent)
        os.close(from_parent)
        self._reading, self._writing = from_child, to_child
        try:
            self._await()
        except BaseException:
            # The child holds nothing yet, and may hang in a name lookup, which has no limit.
            os.kill(self._pid, signal.SIGKILL)
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the session, unless the person leaves and the recovery continues."""
        leaves = kind is not None and not issubclass(kind, Exception)
        self._end(is_held=leaves and self.is_sent)

    def agree(self, harm: Harm) -> None:
        """Announce what was agreed; from here on it limits the next recovery of the node."""
        self._say(session_name(AGREED, self._target, harm).encode())
        self._await()

    def _say(self, line: bytes) -> None:
        try:
            os.write(self._writing, line + b"\n")
        except BrokenPipeError as error:
            raise self._lost() from error

    def _await(self) -> None:
        """Wait for the child's answer; the timeouts of its connection limit the child."""
        limit_s = 2 * (self._primary.login.connect_s + self._primary.login.answer_s)
        ready, _, _ = select.select([self._reading], [], [], limit_s)
        line = os.read(self._reading, 65536).partition(b"\n")[0] if ready else b""
        if line == HELD:
            return
        raise error_of_record(json.loads(line)) if line else self._lost()

    def _lost(self) -> Unreachable:
        return Unreachable(
            f"the session on {self._primary.node.name} that holds the agreement was lost",
            detail="Nothing more was started." if self.is_sent else "Nothing was started.",
        )

    def _end(self, *, is_held: bool = False) -> None:
        if not is_held:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._writing, QUIT + b"\n")
        os.close(self._writing)
        os.close(self._reading)
        if not is_held:
            os.waitpid(self._pid, 0)

    def _be_the_child(self, reading: int, writing: int) -> None:
        try:
            leave_terminal()
            database = self._primary.database_of(Feature.PLAN)
            with connect_to(self._primary.node, self._primary.login, database) as connection:
                connection.row("name_session", name=session_name(ASKS, self._target))
                os.write(writing, HELD + b"\n")
                hold(connection, reading, writing, held_s=self._held_s)
        except BaseException as error:  # noqa: BLE001 - the parent has to learn of any failure
            with contextlib.suppress(BrokenPipeError):
                os.write(writing, json.dumps(as_failure(error).as_record()).encode() + b"\n")
        finally:
            os._exit(0)


def hold(connection: Connection, reading: int, writing: int, *, held_s: float) -> None:
    """Name the session as the pipe says, until the pipe says quit or its other end is closed.

    After the other end is closed, an agreement is kept for `held_s` or until it has been read.
    """
    is_agreed, rest = False, b""
    deadline: float | None = None
    while deadline is None or time.monotonic() < deadline:
        waits = [reading] if deadline is None else []
        ready, _, _ = select.select(waits, [], [], LOOK_EVERY_S)
        if is_agreed and connection.row("agreement_is_read", **{"class": LOCK_CLASS})["is_read"]:
            connection.row("name_session", name=PROGRAM)
            is_agreed = False
        if deadline is not None and not is_agreed:
            return
        if not ready:
            continue
        read = os.read(reading, 4096)
        if not read:
            if not is_agreed:
                return
            deadline = time.monotonic() + held_s
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if line == QUIT:
                return
            connection.row("name_session", name=text_of(line))
            is_agreed = True
            os.write(writing, HELD + b"\n")
