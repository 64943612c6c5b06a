"""Check whose server listens on a Unix socket before it is sent a proof of a password.

In a directory where every user may create a socket, such as /tmp, any user may listen while
Pgpool-II is not running, and the answer to that user's challenge is all that a login takes. libpq
has requirepeer for the same reason.
"""

import os
import pwd
import socket
import stat
import struct
from typing import Optional

from .pcp_error import CANNOT_CONNECT, PcpError

PEER_CREDENTIALS = struct.Struct("iII")
"""The struct ucred of unix(7): pid, uid and gid of the process that called listen()."""
SUPERUSER_ID = 0
SERVER_USER = "postgres"


def check_peer(connected: socket.socket, path: str) -> None:
    """Raise PcpError unless the server's user may know the password."""
    size = PEER_CREDENTIALS.size
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    uid = PEER_CREDENTIALS.unpack(credentials)[1]
    if uid in (SUPERUSER_ID, os.geteuid(), id_of_user(SERVER_USER)) or uid == owner_of_way(path):
        return
    raise PcpError(
        'the server at "%s" runs as %s' % (path, name_of_user(uid)),
        detail="A login is sent only to a server that runs as root, as %s, as the user of this "
        "client, or as the owner of the socket's directory if only root can have created that."
        % SERVER_USER,
        hint="If it is your Pgpool-II, set its pcp_socket_dir to a directory of its user below one "
        "of root, such as /run/pgpool, and give that as the host.",
        sqlstate=CANNOT_CONNECT,
    )


def owner_of_way(path: str) -> Optional[int]:
    """Return the owner of a socket's directory if only the owner and root can create sockets there.

    Every directory above it must belong to root: where others may write, any user may have created
    the directory.
    """
    directory = os.path.dirname(os.path.abspath(path))
    real = os.path.realpath(directory)
    if os.path.islink(path):
        return None
    try:
        status = os.stat(real)
        is_his = not status.st_mode & stat.S_IWOTH and all(map(is_roots_down_to, (directory, real)))
    except OSError:  # As for /proc/PID/root of another process, which realpath() cannot follow.
        return None
    return status.st_uid if is_his else None


def is_roots_down_to(directory: str) -> bool:
    """Return whether only root can replace a directory with something else."""
    above = os.path.dirname(directory)
    status = os.stat(above)
    is_for_group = status.st_mode & stat.S_IWGRP and status.st_gid != SUPERUSER_ID
    if status.st_uid != SUPERUSER_ID or status.st_mode & stat.S_IWOTH or is_for_group:
        return False
    return above == directory or is_roots_down_to(above)


def id_of_user(name: str) -> Optional[int]:
    """Return the id of a user, or None if there is no user of that name."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def name_of_user(uid: int) -> str:
    """Return what messages call a user."""
    try:
        return 'user "%s"' % pwd.getpwuid(uid).pw_name
    except KeyError:
        return "user %d" % uid
