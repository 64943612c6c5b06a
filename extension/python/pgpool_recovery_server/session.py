"""Access the session around a call through PL/Python (the module ``plpy``)."""

from typing import Any, Callable, Optional, Sequence

from server_types import Memory, Plpy, Row, Rows

from .outcome import Failure, cut, failed
from .shown_text import shown_line, shown_text

ENCODINGS = """
select pg_catalog.getdatabaseencoding() as server_encoding,
       pg_catalog.pg_client_encoding() as client_encoding
"""
LIFT_TRANSACTION_TIMEOUT = """
select pg_catalog.set_config(name, '0', true)
  from pg_catalog.pg_settings
 where name = 'transaction_timeout' and setting <> '0' and source not in ('session', 'client')
"""
# Our command for users has in its application_name whom it cancels. Any role can take a name, so it
# counts only from a role that could have cancelled (pg_signal_backend in signalfuncs.c).
WHO_CANCELLED = """
select a.usename::pg_catalog.text as role, pg_catalog.host(a.client_addr) as address
  from pg_catalog.pg_stat_activity as a
  join pg_catalog.pg_stat_activity as own
    on own.pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()
  join pg_catalog.pg_roles as r on r.oid operator(pg_catalog.=) own.usesysid
 where a.application_name operator(pg_catalog.=)
           pg_catalog.concat('pgpool-recovery cancel ', pg_catalog.pg_backend_pid())
   and (pg_catalog.pg_has_role(a.usesysid, r.oid, 'USAGE')
        or (not r.rolsuper
            and pg_catalog.pg_has_role(a.usesysid, 'pg_signal_backend', 'USAGE')))
 limit 1
"""
ENCODINGS_FOR_ALL_CHARACTERS = ("UTF8", "SQL_ASCII")


class Session:
    """The session that a call runs in.

    `plpy` is PL/Python's module; `session` a dictionary that lives as long as the session.
    """

    def __init__(self, plpy: Plpy, session: Memory) -> None:
        self._plpy = plpy
        self._session = session
        self._known_encodings: Optional[Row] = None

    def query(
        self, name: str, text: str, types: Sequence[str] = (), values: Sequence[Any] = ()
    ) -> Rows:
        """Run a query whose plan is kept under `name` for the session; return its rows."""
        if name not in self._session:
            self._session[name] = self._plpy.prepare(text, list(types))
        return self._plpy.execute(self._session[name], list(values))

    def lift_transaction_timeout(self) -> None:
        """Lift, until the transaction ends, the time limit that every session begins with.

        PostgreSQL 17 and later would end the session in the middle of a wait, and Pgpool-II, which
        lifts statement_timeout, does not know about this one. A limit that the session itself has
        set, or requested when it connected, is meant for this call and stays.
        """
        self.query("lift transaction timeout", LIFT_TRANSACTION_TIMEOUT)

    def check_for_interrupts(self) -> Optional[Failure]:
        """Return the pending cancel of this statement as a Failure, or None.

        With a pending termination of the session, this does not return.
        """
        return self._interrupt_of(lambda: self.query("interrupts", "select"))

    def who_cancelled(self) -> Optional[str]:
        """Return a sentence that names who has cancelled this statement, or None.

        Another cancel that comes just now changes nothing: the statement is already ending.
        """
        try:
            rows = self.query("who cancelled", WHO_CANCELLED)
        except (self._plpy.SPIError, self._plpy.Error):
            return None
        for row in rows:
            where = "" if row["address"] is None else " from %s" % row["address"]
            return 'It was cancelled with "pgpool-recovery cancel" by role %s%s.' % (
                row["role"],
                where,
            )
        return None

    def notice(self, text: str) -> Optional[Failure]:
        """Send lines to the client as one message; return what check_for_interrupts() returns."""
        shown = self._in_all_encodings(shown_text(text))
        return self._interrupt_of(lambda: self._plpy.notice(shown))

    def warn(self, cause: Failure) -> None:
        """Send the cause of a failure as a WARNING to the client and the server log.

        Pgpool-II writes warnings to pgpool.log, but discards the error of pgpool_recovery().
        """
        texts = {"detail": self.readable(cause.detail), "hint": self.readable(cause.hint)}
        parts = {name: text for name, text in texts.items() if text is not None}
        message = self.printable(cut(cause.message))
        self._interrupt_of(lambda: self._plpy.warning(message, **parts))

    def _interrupt_of(self, action: Callable[[], object]) -> Optional[Failure]:
        try:
            action()
        except (self._plpy.SPIError, self._plpy.Error) as error:
            return Failure(str(error), sqlstate=error.sqlstate)
        return None

    def printable(self, text: str) -> str:
        """Return a line that is safe for a terminal and for the encodings of this session."""
        return self._in_all_encodings(shown_line(text))

    def readable(self, text: Optional[str]) -> Optional[str]:
        """Return a text of several lines in the same form, truncated; None stays None."""
        return None if text is None else self._in_all_encodings(shown_text(cut(text)))

    def shown(self, cause: Failure) -> Failure:
        """Return a failure with its texts in the same form."""
        return Failure(
            self.printable(cut(cause.message)),
            detail=self.readable(cause.detail),
            hint=self.readable(cause.hint),
            sqlstate=cause.sqlstate,
        )

    def _in_all_encodings(self, text: str) -> str:
        encodings = self._encodings()
        if all(encoding in ENCODINGS_FOR_ALL_CHARACTERS for encoding in encodings.values()):
            return text
        return text.encode("ascii", "backslashreplace").decode()

    def in_encoding(self, text: str) -> str:
        """Return JSON without zero, which jsonb cannot hold, in the server's encoding."""
        text = text.replace("\\u0000", "")
        if self._encodings()["server_encoding"] == "UTF8":
            return text
        return text.encode("ascii", "replace").decode()

    def _encodings(self) -> Row:
        if self._known_encodings is None:
            self._known_encodings = self.query("encodings", ENCODINGS)[0]
        return self._known_encodings


def without_traceback(plpy: Plpy, call: Callable[[], Row]) -> Row:
    """Return the row of a call; an error of the server itself, such as a time limit, becomes one.

    Between two checks for an interrupt, it comes up in whatever queries the server next.
    """
    try:
        return call()
    except (plpy.SPIError, plpy.Error) as error:
        return failed(Failure(str(error), sqlstate=error.sqlstate))
