"""Provide what a call needs to know about the PostgreSQL server that it runs in."""

import os
from typing import Dict, Optional

from server_types import Memory, Plpy

from .invoker import invoker_is_superuser
from .outcome import NOT_IN_PREREQUISITE_STATE, Failure
from .session import Session

# The server treats a path as text in the database's encoding, whatever its bytes are. As text it
# would be converted, or be an error. To the format "escape", only a backslash is special.
PATHS = ("data_directory", "unix_socket_directories", "database")
FACTS = """
select pg_catalog.decode(pg_catalog.replace(
           pg_catalog.current_setting('data_directory'), E'\\\\', E'\\\\\\\\'), 'escape')
           as data_directory,
       pg_catalog.decode(pg_catalog.replace(
           pg_catalog.current_setting('unix_socket_directories'), E'\\\\', E'\\\\\\\\'), 'escape')
           as unix_socket_directories,
       pg_catalog.current_setting('listen_addresses') as listen_addresses,
       pg_catalog.current_setting('port')::int as port,
       pg_catalog.current_setting('logging_collector')::pg_catalog.bool as logging_collector,
       pg_catalog.decode(pg_catalog.replace(
           pg_catalog.current_database()::pg_catalog.text, E'\\\\', E'\\\\\\\\'), 'escape')
           as database,
       pg_catalog.pg_is_in_recovery() as is_in_recovery,
       pg_catalog.current_setting('pgpool.script_end_time', true) as script_end_time,
       pg_catalog.gen_random_uuid()::pg_catalog.text as call_id,
       pg_catalog.gen_random_uuid()::pg_catalog.text as record_secret
"""

SCRIPT_END_S = 3.5
MAX_SCRIPT_END_S = 600.0  # A session waits this long and cannot be ended.
UNITS = (("ms", 0.001), ("min", 60), ("s", 1), ("", 1))


class Server(Session):
    """A session with a superuser's rights, with what a call needs to know about the server.

    `is_direct`: a statement of the client called the function for users, not another function.
    """

    def __init__(self, plpy: Plpy, session: Memory, *, is_direct: bool) -> None:
        super().__init__(plpy, session)
        self.lift_transaction_timeout()
        self._is_direct = is_direct
        facts = self.query("facts", FACTS)[0]
        self.facts = dict(facts, **{name: os.fsdecode(facts[name]) for name in PATHS})

    def refuse_on_standby(self, function_name: str) -> None:
        """Raise Failure when this server is a standby."""
        if self.facts["is_in_recovery"]:
            raise Failure(
                "recovery is in progress",
                detail="%s() runs on the primary, and this server is a standby." % function_name,
                hint="Connect to the primary.",
                sqlstate=NOT_IN_PREREQUISITE_STATE,
            )

    def caller(self) -> str:
        """Return who the caller is, in the words of the stage commands: "superuser" or "role"."""
        is_superuser = invoker_is_superuser(self._plpy, self, self._is_direct)
        return "superuser" if is_superuser else "role"

    def script_end_s(self) -> float:
        """Return how long a script may take to clean up when the call is cancelled."""
        return seconds_of(self.facts["script_end_time"])

    def connection_environment(self) -> Dict[str, str]:
        """Return the values of libpq's variables that lead a child process to this server."""
        return {
            "PGHOST": self._reachable_host(),
            "PGPORT": str(self.facts["port"]),
            "PGDATABASE": self.facts["database"],
        }

    def _reachable_host(self) -> str:
        sockets: str = self.facts["unix_socket_directories"].split(",")[0].strip().strip('"')
        address: str = self.facts["listen_addresses"].split(",")[0].strip().strip('"')
        if sockets:
            return sockets
        return "localhost" if address in ("*", "0.0.0.0", "::", "") else address


def seconds_of(setting: Optional[str]) -> float:
    """Return a setting in seconds, with or without a unit; the default when it is not a time.

    >>> [seconds_of(text) for text in (None, "30s", "1 min", "9999", "x")]
    [3.5, 30.0, 60.0, 600.0, 3.5]
    """
    text = (setting or "").strip()
    for unit, factor in UNITS:
        if text.endswith(unit):
            number = text[: len(text) - len(unit)].strip()
            try:
                value = float(number) * factor
            except ValueError:
                return SCRIPT_END_S
            # NaN is neither less nor greater.
            return min(value, MAX_SCRIPT_END_S) if value >= 0 else SCRIPT_END_S
    return SCRIPT_END_S
