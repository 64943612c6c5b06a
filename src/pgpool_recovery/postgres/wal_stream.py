"""Fetch WAL and timeline histories over a replication connection, as a standby does.

The commands are those of protocol-replication.html. Any login that may stream may run them, and the
primary sends only what it has flushed. We never report a position, so no synchronous commit waits
for us, whatever our application_name is.
"""

import select
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.wal import Lsn, TimelineId, lsn_text, parse_lsn
from pgpool_recovery.files.text import text_of
from pgpool_recovery.postgres.connection import TICK_MS, error_message, open_replication

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

SILENCE_S = 60.0
WAL_DATA, DATA_OFFSET = b"w", 25
"""A message with WAL has its type, its start, the end of the WAL, the time, and then the bytes."""


class WalSource:
    """The primary as a source of files for pg_wal, each fetched over its own connection.

    A stream ends only with its connection. Raises Unreachable when the primary cannot be reached or
    does not send a file, and Undone when it is silent or ends too early. An exception from `check`
    ends any wait.
    """

    def __init__(
        self, conninfo: Mapping[str, str], *, connect_s: float, check: Callable[[], None]
    ) -> None:
        self._conninfo = conninfo
        self._connect_s = connect_s
        self._check = check

    def history(self, timeline: TimelineId) -> bytes | None:
        """Return the contents of a timeline's history file; None when the primary has none."""
        from psycopg.pq import ExecStatus

        connection = self._open()
        try:
            result = self._ask(connection, f"TIMELINE_HISTORY {timeline}")
            if result is None or result.status != ExecStatus.TUPLES_OK:
                if _is_missing(result):
                    return None
                raise _failed(connection)
            return result.get_value(0, 1)
        finally:
            connection.finish()

    def segment(self, timeline: TimelineId, begin: Lsn, size_bytes: int) -> bytearray:
        """Return the first `size_bytes` of a segment, or as many as the primary has flushed."""
        from psycopg.pq import ExecStatus

        connection, got = self._open(), bytearray()
        try:
            identity = self._ask(connection, "IDENTIFY_SYSTEM")
            if identity is None or identity.status != ExecStatus.TUPLES_OK:
                raise _failed(connection)
            flushed = parse_lsn(text_of(identity.get_value(0, 2) or b""))
            self._end_of_results(connection)
            wanted = min(size_bytes, flushed - begin)
            started = self._ask(
                connection, f"START_REPLICATION PHYSICAL {lsn_text(begin)} TIMELINE {timeline}"
            )
            if started is None or started.status != ExecStatus.COPY_BOTH:
                raise _failed(connection)
            while len(got) < wanted:
                got += self._next(connection)
            return got[:wanted]
        finally:
            connection.finish()

    def _open(self) -> "PGconn":
        connection = open_replication(self._conninfo, within_s=self._connect_s, check=self._check)
        connection.nonblocking = 1
        return connection

    def _ask(self, connection: "PGconn", command: str) -> "PGresult | None":
        connection.send_query(command.encode())
        connection.flush()
        return self._result(connection)

    def _result(self, connection: "PGconn") -> "PGresult | None":
        deadline = time.monotonic() + SILENCE_S
        while connection.is_busy():
            self._wait(connection, deadline)
        return connection.get_result()

    def _end_of_results(self, connection: "PGconn") -> None:
        if self._result(connection) is not None:
            raise _failed(connection)

    def _next(self, connection: "PGconn") -> bytes:
        """Return the WAL of the next message that has any."""
        deadline = time.monotonic() + SILENCE_S
        while True:
            size, data = connection.get_copy_data(1)
            if size > 0 and bytes(data[:1]) == WAL_DATA:
                return bytes(data[DATA_OFFSET:])
            if size < 0:
                raise Undone("the primary stopped sending WAL before the end of what is flushed")
            if size == 0:
                self._wait(connection, deadline)

    def _wait(self, connection: "PGconn", deadline: float) -> None:
        self._check()
        if time.monotonic() > deadline:
            raise Undone(f"the primary sent no WAL for {SILENCE_S:g} s")
        poll = select.poll()
        poll.register(connection.socket, select.POLLIN)
        if poll.poll(TICK_MS):
            connection.consume_input()


def _is_missing(result: "PGresult | None") -> bool:
    """Return whether a file is missing, by its SQLSTATE (undefined_file), in any language."""
    from psycopg.pq import DiagnosticField

    return result is not None and result.error_field(DiagnosticField.SQLSTATE) == b"58P01"


def _failed(connection: "PGconn") -> Unreachable:
    return Unreachable("the primary did not send its WAL", detail=error_message(connection) or None)
