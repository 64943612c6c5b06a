"""Stop a server from another host by SQL alone, with the function pgpool_pgctl there."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

from pgpool_recovery.control.cluster import Node, SqlLogin
from pgpool_recovery.control.extension import Feature, look_at
from pgpool_recovery.domain.error import Refused, Unreachable, Unverified
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection

LOOK_EVERY_S = 0.1
CONNECT_S = 2.0


def why_not_stoppable(node: Node, login: SqlLogin) -> str | None:
    """Return why a server cannot be stopped with its own function; nothing is changed."""
    try:
        server = look_at(node, login)
        if not server.has(Feature.STOP) and not server.foreign:
            return "it does not have the extension pgpool_recovery, which could stop it"
        with server.connect(Feature.STOP) as connection:
            if connection.row("may_stop")["may_stop"]:
                return None
    except (Refused, Unreachable) as error:
        return error.message
    return "the login may not call the function pgpool_pgctl, which could stop it"


def order_stop(node: Node, login: SqlLogin) -> None:
    """Tell a server to shut down in fast mode; raises Refused or Unreachable when that fails.

    In this mode a primary ends when its WAL senders have sent what they could. Whether a standby
    has all of it must be checked on the standby (handover.py).
    """
    with look_at(node, login).connect(Feature.STOP) as connection:
        _stop(connection)


@waits("the old primary to end")
def wait_until_stopped(
    node: Node, *, within_s: float, is_over: Callable[[], bool] = lambda: False
) -> None:
    """Return when the postmaster is gone, or when `is_over` reports that it is as good as gone.

    Raises Unverified when it takes longer: its shutdown waits for a standby that does not answer.
    """
    deadline = time.monotonic() + within_s
    while listens(node):
        if is_over():
            return
        if time.monotonic() > deadline:
            raise Unverified(
                f"{node.name} was told to stop, but has not stopped after {within_s:g} seconds",
                detail="No other node was promoted.",
                hint="Check its log. The setting timeout.stop_s limits the wait.",
            )
        time.sleep(LOOK_EVERY_S)


def _stop(connection: Connection) -> None:
    """Call the function; it is no failure that the server closes the connection as it stops."""
    try:
        connection.call("stop_server", lambda _line: None)
    except Unreachable:
        return


def listens(node: Node) -> bool:
    """Return whether anything listens there: a postmaster that shuts down does so until it ends."""
    if not node.host or node.host.startswith("/"):
        directories = [node.host] if node.host else ["/var/run/postgresql", "/tmp"]  # noqa: S108
        sockets = [Path(directory, f".s.PGSQL.{node.port}") for directory in directories]
        return any(_accepts(socket.AF_UNIX, str(path)) for path in sockets)
    try:
        socket.create_connection((node.host, node.port), CONNECT_S).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # A lost network says nothing about the server.
    return True


def _accepts(family: socket.AddressFamily, address: str) -> bool:
    with socket.socket(family) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
