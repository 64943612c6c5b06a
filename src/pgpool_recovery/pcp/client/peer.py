"""Whose server it is that listens on a Unix socket: nobody else's gets a proof of a password.

Where everybody may make a socket, as in /tmp, anybody may listen while Pgpool-II does not run, and
the answer to his challenge is all that a login takes. libpq's requirepeer is there for the same.
"""

import os
import pwd
import socket
import stat
import struct
from typing import Optional

from .pcp_error import CANNOT_CONNECT, PcpError

PEER_CREDENTIALS = struct.Struct("iII")
"""The struct ucred of unix(7): pid, uid and gid of who called listen()."""
SUPERUSER_ID = 0
SERVER_USER = "postgres"


def check_peer(connected: socket.socket, path: str) -> None:
    """Raise PcpError unless the server's user is one who may know the password."""
    size = PEER_CREDENTIALS.size
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    uid = PEER_CREDENTIALS.unpack(credentials)[1]
    if uid in (SUPERUSER_ID, os.geteuid(), id_of_user(SERVER_USER)) or uid == owner_of_way(path):
        return
    raise PcpError(
        'the server at "%s" runs as %s' % (path, name_of_user(uid)),
        detail="A login is shown only to a server that runs as root, as %s, as the user who asks, "
        "or as the owner of the socket's directory when only root can have made that."
        % SERVER_USER,
        hint="If it is your Pgpool-II, let its pcp_socket_dir be a directory of its user below one "
        "of root, such as /run/pgpool, and name it as the host.",
        sqlstate=CANNOT_CONNECT,
    )


def owner_of_way(path: str) -> Optional[int]:
    """Return the owner of a socket's directory, when only he and root could make a socket there.

    All above it has to be root's: in a directory where others may write he may have made it.
    """
    directory = os.path.dirname(os.path.abspath(path))
    real = os.path.realpath(directory)
    if os.path.islink(path):
        return None
    try:
        status = os.stat(real)
        is_his = not status.st_mode & stat.S_IWOTH and all(map(is_roots_down_to, (directory, real)))
    except OSError:  # Such as another process's /proc/PID/root, which realpath() cannot follow.
        return None
    return status.st_uid if is_his else None


def is_roots_down_to(directory: str) -> bool:
    """Say whether only root can put something else in the place of a directory."""
    above = os.path.dirname(directory)
    status = os.stat(above)
    is_for_group = status.st_mode & stat.S_IWGRP and status.st_gid != SUPERUSER_ID
    if status.st_uid != SUPERUSER_ID or status.st_mode & stat.S_IWOTH or is_for_group:
        return False
    return above == directory or is_roots_down_to(above)


def id_of_user(name: str) -> Optional[int]:
    """Return the id of a user, or None where there is none of that name."""
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
