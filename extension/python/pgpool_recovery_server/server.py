"""The PostgreSQL server around a call, as PL/Python shows it (the module ``plpy``)."""

from .outcome import NOT_IN_PREREQUISITE_STATE, Failure, cut

FACTS = """
select current_setting('data_directory') as data_directory,
       current_setting('unix_socket_directories') as unix_socket_directories,
       current_setting('listen_addresses') as listen_addresses,
       current_setting('port')::int as port,
       current_setting('logging_collector')::bool as logging_collector,
       current_database() as database,
       getdatabaseencoding() as server_encoding,
       pg_client_encoding() as client_encoding,
       pg_is_in_recovery() as is_in_recovery,
       gen_random_uuid()::text as call_id
"""

ENCODINGS_FOR_ALL_CHARACTERS = ("UTF8", "SQL_ASCII")


class Server:
    """What a call needs of the server that it runs in.

    `plpy` is PL/Python's module; `session` a dictionary that lives as long as the session.
    """

    def __init__(self, plpy, session):
        self._plpy = plpy
        self._session = session
        self.facts = self.query("facts", FACTS)[0]

    def query(self, name, text, types=(), values=()):
        """Run a query whose plan is kept under `name` for the session; return its rows."""
        if name not in self._session:
            self._session[name] = self._plpy.prepare(text, list(types))
        return self._plpy.execute(self._session[name], list(values))

    def check_for_interrupts(self):
        """Return the pending cancel of this statement as a Failure, or None.

        A pending termination of the session does not return.
        """
        return self._interrupt_of(lambda: self.query("interrupts", "select"))

    def notice(self, line):
        """Send a line to the client; return what check_for_interrupts() returns."""
        return self._interrupt_of(lambda: self._plpy.notice(self.printable(line)))

    def warn(self, cause):
        """Send the cause of a failure as a WARNING to the client and the server log.

        Pgpool-II writes warnings to pgpool.log, and throws the error of pgpool_recovery() away.
        """
        parts = {"detail": cut(cause.detail), "hint": cut(cause.hint)}
        parts = {name: text for name, text in parts.items() if text is not None}
        self._interrupt_of(lambda: self._plpy.warning(cut(cause.message), **parts))

    def _interrupt_of(self, action):
        try:
            action()
        except (self._plpy.SPIError, self._plpy.Error) as error:
            return Failure(str(error), sqlstate=error.sqlstate)
        return None

    def printable(self, text):
        """Return `text` without what a terminal or an encoding of this session would trip over."""
        text = "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)
        encodings = (self.facts["server_encoding"], self.facts["client_encoding"])
        if all(encoding in ENCODINGS_FOR_ALL_CHARACTERS for encoding in encodings):
            return text
        return text.encode("ascii", "backslashreplace").decode()

    def in_encoding(self, text):
        """Return JSON without what the server's encoding may lack, and jsonb has not: zero."""
        text = text.replace("\\u0000", "")
        if self.facts["server_encoding"] == "UTF8":
            return text
        return text.encode("ascii", "replace").decode()

    def refuse_on_standby(self, function_name):
        """Raise Failure when this server is a standby."""
        if self.facts["is_in_recovery"]:
            raise Failure(
                "recovery is in progress",
                detail="%s() runs on the primary, and this server is a standby." % function_name,
                hint="Connect to the primary.",
                sqlstate=NOT_IN_PREREQUISITE_STATE,
            )

    def connection_environment(self):
        """Return the libpq variables that lead a child process to this server."""
        return {
            "PGHOST": self._reachable_host(),
            "PGPORT": str(self.facts["port"]),
            "PGDATABASE": self.facts["database"],
        }

    def _reachable_host(self):
        sockets = self.facts["unix_socket_directories"].split(",")[0].strip().strip('"')
        address = self.facts["listen_addresses"].split(",")[0].strip().strip('"')
        if sockets:
            return sockets
        return "localhost" if address in ("*", "0.0.0.0", "::", "") else address
