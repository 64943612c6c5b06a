"""Find out whether the client of this session is still connected.

A backend notices a lost client only when it writes to it, and a recovery can be silent for hours.
"""

import os
import select
import stat
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import socket


def find_caller(port: int) -> Optional[int]:
    """Return the descriptor of the client's connection, or None when there is no client.

    Among the open descriptors, it is the connected stream socket whose local end is one that the
    server listens on: this `port`, or a Unix socket named after it.
    """
    for name in os.listdir("/proc/self/fd"):
        if _is_client_connection(int(name), port):
            return int(name)
    return None


def caller_is_gone(descriptor: int) -> bool:
    """Return whether the other end of the connection was closed."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))


def _is_client_connection(descriptor: int, port: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
    except OSError:
        return False  # The descriptor that listed the directory.
    import socket  # Imported here because it takes 3 ms of each new session.

    with _duplicate(descriptor) as connection:
        if connection.type != socket.SOCK_STREAM:
            return False
        try:
            connection.getpeername()
        except OSError:
            return False  # It is a listening socket.
        return _is_server_end(connection.getsockname(), port)


def _duplicate(descriptor: int) -> "socket.socket":
    import socket

    # Before Python 3.7, an object does not find out what kind of socket it is given.
    with socket.socket(fileno=os.dup(descriptor)) as unknown:
        family = unknown.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)
        kind = unknown.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    return socket.socket(family, kind, 0, os.dup(descriptor))


def _is_server_end(name: Any, port: int) -> bool:
    if isinstance(name, tuple):
        return bool(name[1] == port)
    path: str = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    return path.endswith("/.s.PGSQL.%d" % port)
