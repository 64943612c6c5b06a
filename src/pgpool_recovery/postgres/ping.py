"""Find out, without a login, whether a server answers at all after a connection has failed."""

from collections.abc import Mapping
from enum import StrEnum

from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.postgres.connection import whole_seconds
from pgpool_recovery.postgres.conninfo import format_conninfo, libpq_version

SSLNEGOTIATION_SINCE = 170000
"""The first libpq with this keyword; an older one would refuse it."""
NO_FILE = "/dev/null/none"
"""A password file that cannot exist, since no file can be below a device; libpq ignores it."""


class PingAnswer(StrEnum):
    """How a server answers, with the distinctions of pg_isready.

    UP: it accepts connections, so only the login failed. REJECTING: it starts, shuts down, or is in
    recovery without hot_standby. DOWN: there is no answer.
    """

    UP = "up"
    REJECTING = "rejecting"
    DOWN = "down"


def ping(conninfo: Mapping[str, str], *, timeout_s: float) -> PingAnswer:
    """Return how the server of a connection string answers.

    libpq decides it from the protocol and the SQLSTATE (PQping in fe-connect.c), so the server's
    language does not matter. No password is sent. All settings for encryption are overridden, even
    those of the environment, some of which keep libpq from connecting at all. A server that
    requires TLS then refuses the connection, which libpq counts as an answer.
    """
    from psycopg import pq

    known = {name: conninfo[name] for name in ("host", "hostaddr", "port") if name in conninfo}
    user = {name: conninfo[name] for name in ("user", "dbname") if name in conninfo}
    plain = {
        **known,
        **user,
        "password": "",
        "passfile": NO_FILE,
        "sslmode": "disable",
        "sslrootcert": "",
        "gssencmode": "disable",
        "connect_timeout": whole_seconds(timeout_s),
    }
    if libpq_version() >= SSLNEGOTIATION_SINCE:
        plain["sslnegotiation"] = "postgres"
    answers = {pq.Ping.OK: PingAnswer.UP, pq.Ping.REJECT: PingAnswer.REJECTING}
    found = pq.Ping(pq.PGconn.ping(bytes_of(format_conninfo(plain))))
    return answers.get(found, PingAnswer.DOWN)
