"""Stop a server from another host, with nothing but SQL: by the function pgpool_pgctl there."""

import socket
import time
from pathlib import Path

from pgpool_recovery.domain.error import Refused, Unreachable, Unverified
from pgpool_recovery.hooks.choice import still_writes
from pgpool_recovery.operator.cluster import Login, Node
from pgpool_recovery.operator.extension import Feature, look_at
from pgpool_recovery.postgres.connection import Connection

LOOK_EVERY_S = 0.1
CONNECT_S = 2.0


def stop_server(node: Node, login: Login, *, within_s: float) -> None:
    """Stop a primary in fast mode, and return when its postmaster is gone.

    In that mode it sends its standbys all that it has written, the shutdown checkpoint too, before
    it ends: none of them lacks anything then, and it can follow one of them without a rewind.
    """
    server = look_at(node, login)
    if not server.has(Feature.STOP) and not server.foreign:
        why = "It has no extension pgpool_recovery, by which it could be stopped."
        raise still_writes(node.node_id, why)
    try:
        with server.connect(Feature.STOP) as connection:
            _stop(connection)
    except Refused as error:
        raise still_writes(node.node_id, f"{error.message}.") from error
    _wait_until_gone(node, within_s)


def _stop(connection: Connection) -> None:
    """Call the function; that the server takes the connection away with it is no failure."""
    try:
        connection.call("stop_server", lambda _line: None)
    except Unreachable:
        return


def _wait_until_gone(node: Node, within_s: float) -> None:
    """Wait until nobody listens: a postmaster that shuts down does so until it has ended."""
    deadline = time.monotonic() + within_s
    while _listens(node):
        if time.monotonic() > deadline:
            raise Unverified(
                f"{node.name} was told to stop and has not after {within_s:g} seconds",
                detail="No other node was promoted.",
                hint="Look at its log. timeout.stop_s in the settings says how long is waited.",
            )
        time.sleep(LOOK_EVERY_S)


def _listens(node: Node) -> bool:
    if not node.host or node.host.startswith("/"):
        directories = [node.host] if node.host else ["/var/run/postgresql", "/tmp"]  # noqa: S108
        sockets = [Path(directory, f".s.PGSQL.{node.port}") for directory in directories]
        return any(_accepts(socket.AF_UNIX, str(path)) for path in sockets)
    try:
        socket.create_connection((node.host, node.port), CONNECT_S).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # A lost network says nothing of the server.
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
