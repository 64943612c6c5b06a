"""Send commands on a replication connection, and read their results within limits."""

import select
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pgpool_recovery.domain.error import RecoveryError, Undone, Unreachable
from pgpool_recovery.files.text import text_of
from pgpool_recovery.postgres.backup_refusal import refusal
from pgpool_recovery.postgres.connection import TICK_MS, error_message

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

KEPT_NOTICES = 20
BROKEN_PROTOCOL = "the server broke the protocol of a base backup"


class BackupCommands:
    """A replication connection, from which one result after the other is read.

    `check` is called at least every `TICK_MS` while the server is silent; an exception from it ends
    the wait. Raises Refused when the server refuses a command, Undone when it fails after
    `is_streaming`, or is silent for `silence_s`, and Unreachable when the connection is lost; these
    call the server `name`.
    """

    def __init__(
        self, pgconn: "PGconn", silence_s: float, check: Callable[[], None], name: str
    ) -> None:
        self._pgconn = pgconn
        self._silence_s = silence_s
        self._check = check
        self._name = name
        self._notices: list[str] = []
        self.is_streaming = False
        """Whether a failure is that of a backup that has begun."""
        pgconn.notice_handler = self._notice
        pgconn.nonblocking = 1
        self._poll = select.poll()
        self._poll.register(pgconn.socket, select.POLLIN)

    def rows(self, command: str) -> list[tuple[str, ...]]:
        """Send a command and return its rows."""
        from psycopg.pq import ExecStatus

        self.send(command)
        rows = texts(self.expect(ExecStatus.TUPLES_OK))
        self.end_of_results()
        return rows

    def send(self, command: str) -> None:
        """Send a command, whose results are read afterwards."""
        import psycopg

        try:
            self._pgconn.send_query(command.encode())
        except psycopg.Error as error:
            raise self._lost() from error
        self.flush()

    def flush(self) -> None:
        """Wait until all that was queued is sent."""
        import psycopg

        try:
            while self._pgconn.flush() == 1:
                self._await(select.POLLIN | select.POLLOUT, self._silence_s)
        except psycopg.Error as error:
            raise self._lost() from error

    def expect(self, status: int, *, within_s: float | None = None) -> "PGresult":
        """Return the next result, which must have this status."""
        result = self._result(self._silence_s if within_s is None else within_s)
        if result is None or result.status != status:
            raise self._failure(result)
        return result

    def end_of_results(self) -> None:
        """Read the end of a command, after which there must be no further result."""
        result = self._result(self._silence_s)
        if result is not None:
            raise self._failure(result)

    def copied(self) -> Iterator[memoryview]:
        """Yield the data of one COPY OUT as it was sent."""
        import psycopg

        get_copy_data = self._pgconn.get_copy_data
        try:
            while True:
                size, message = get_copy_data(1)
                if size > 0:
                    yield message
                elif size == 0:
                    self._await(select.POLLIN, self._silence_s)
                else:
                    return
        except psycopg.Error as error:
            raise self._lost() from error

    def skip_results(self) -> None:
        """Read what is left after a refusal, so that another command can follow."""
        while self._result(self._silence_s) is not None:
            pass

    def _result(self, within_s: float) -> "PGresult | None":
        while self._pgconn.is_busy():
            self._await(select.POLLIN, within_s)
        return self._pgconn.get_result()

    def _await(self, events: int, within_s: float) -> None:
        """Wait until the socket is ready, and consume the input."""
        import psycopg

        deadline = time.monotonic() + within_s
        self._poll.modify(self._pgconn.socket, events)
        self._check()
        while not self._poll.poll(TICK_MS):
            self._check()
            if time.monotonic() > deadline:
                raise Undone(
                    f"{self._name} was silent for {within_s:g} s during the base backup",
                    hint=f"Check the network, and the log of {self._name}.",
                )
        try:
            self._pgconn.consume_input()
        except psycopg.Error as error:
            raise self._lost() from error

    def _failure(self, result: "PGresult | None") -> RecoveryError:
        from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus

        if self._pgconn.status == ConnStatus.BAD:
            return self._lost()
        if result is None or result.status != ExecStatus.FATAL_ERROR:
            sent = "nothing" if result is None else ExecStatus(result.status).name
            return Undone(BROKEN_PROTOCOL, detail=f"It sent {sent}.")
        fields = (
            DiagnosticField.MESSAGE_PRIMARY,
            DiagnosticField.MESSAGE_DETAIL,
            DiagnosticField.MESSAGE_HINT,
        )
        said = [text_of(result.error_field(field) or b"") for field in fields]
        if self.is_streaming:
            why, *more = [text for text in (*said, *self._notices) if text]
            message = f"the base backup failed on {self._name}: {why}"
            return Undone(message, detail="\n".join(more) or None)
        return refusal(said, self._name)

    def _lost(self) -> Unreachable:
        return Unreachable(
            f"the connection to {self._name} was lost", detail=error_message(self._pgconn) or None
        )

    def _notice(self, result: "PGresult") -> None:
        """Keep the server's notices, such as which page has an invalid checksum."""
        from psycopg.pq import DiagnosticField

        if len(self._notices) < KEPT_NOTICES:
            self._notices.append(
                text_of(result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"")
            )


def texts(result: "PGresult") -> list[tuple[str, ...]]:
    """Return the rows of a result as text."""
    return [
        tuple(text_of(result.get_value(row, column) or b"") for column in range(result.nfields))
        for row in range(result.ntuples)
    ]
