"""Whether a server answers at all, asked without a login, when a connection has failed."""

from collections.abc import Mapping
from enum import StrEnum

from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.postgres.connection import whole_seconds
from pgpool_recovery.postgres.conninfo import format_conninfo, libpq_version

SSLNEGOTIATION_SINCE = 170000
"""The libpq that knows the word; an older one refuses what it does not know."""
NO_FILE = "/dev/null/none"
"""Nothing can be below a device: of a password file that is not there libpq says nothing."""


class PingAnswer(StrEnum):
    """How a server answers, as pg_isready tells it apart.

    UP: it accepts connections, so what failed was the login. REJECTING: it starts, shuts down, or
    recovers without hot_standby. DOWN: nobody answers.
    """

    UP = "up"
    REJECTING = "rejecting"
    DOWN = "down"


def ping(conninfo: Mapping[str, str], *, timeout_s: float) -> PingAnswer:
    """Return how the server of a connection string answers.

    Decided by libpq from the protocol and the SQLSTATE (PQping in fe-connect.c), so the language of
    the server does not matter. No password is sent, and nothing that says how to encrypt is heeded,
    not that of the environment either, with which libpq would not even try: a server that wants TLS
    refuses in a way that libpq understands as well.
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
