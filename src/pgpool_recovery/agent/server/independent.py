"""Make a standby an independent server, with its primary's sequences and no standby settings."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from math import ceil
from pathlib import Path

from pgpool_recovery.agent.directory.own_login import own_server_words
from pgpool_recovery.agent.directory.setting_home import home_of
from pgpool_recovery.domain.error import Refused, Unverified
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.pidfile import PidFile, read_pid_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.talk.request.server import MakeIndependent

MAINTENANCE_DATABASE = "postgres"
MARGIN_S = 30.0
"""Added to the timeout of pg_promote(), which returns within that, for the wait for its answer."""
STANDBY_SETTINGS = ("primary_conninfo", "primary_slot_name", "recovery_target_timeline")


def make_independent(request: MakeIndependent, stop: Stop, connect_s: float) -> int:
    """Promote the server and correct its sequences; return how many had a wrong value.

    A standby's sequences are up to 32 values ahead of the primary's, because so many are logged at
    once (SEQ_LOG_VALS in sequence.c). Raises Refused when the server is not running, and Unverified
    when it was not promoted in time.
    """
    data = Path(request.data_directory).resolve()
    server = read_pid_file(data)
    if server is None:
        raise Refused("the server of the target is not running")
    answer_s = request.timeout_s + MARGIN_S
    with _connect(server, MAINTENANCE_DATABASE, connect_s, answer_s) as connection:
        promoted = connection.row("promote", timeout_s=ceil(request.timeout_s))
        if not promoted["is_promoted"]:
            raise Unverified(
                f"the server was not promoted within {request.timeout_s:g} s",
                target=TargetState.STARTED,
            )
        for setting in STANDBY_SETTINGS:
            connection.do(f"ALTER SYSTEM RESET {setting}")
        home_of(data, data, stop).take_out(STANDBY_SETTINGS)
        connection.do("SELECT pg_catalog.pg_reload_conf()")
    changed = 0
    for database, values in request.sequences.items():
        stop.check()
        with _connect(server, database, connect_s, answer_s) as connection:
            changed += set_sequences(connection, values)
    return changed


def set_sequences(connection: Connection, values: Mapping[int, int]) -> int:
    """Set those sequences of a database, by OID, that differ; return how many did."""
    own = {row["oid"]: row["value"] for row in connection.rows("sequences")}
    wrong = {oid: value for oid, value in values.items() if own.get(oid) != value}
    if wrong:
        connection.rows("set_sequences", oids=list(wrong), values=list(wrong.values()))
    return len(wrong)


def _connect(
    server: PidFile, database: str, connect_s: float, answer_s: float
) -> AbstractContextManager[Connection]:
    where = {"host": server.host, "port": str(server.port), "dbname": database}
    where |= own_server_words(server.host)
    return connect(where, timeout_s=connect_s, answer_s=answer_s, name="the target")
