"""Whether a host is this one, so that no ssh is needed to reach it."""

import socket


def is_this_host(host: str) -> bool:
    """Say whether one of the host's addresses belongs to this machine.

    An address does when a socket can be bound to it. A path names a Unix socket, which is local.
    """
    if host.startswith("/"):
        return True
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(_can_bind(family, address) for family, _, _, _, address in found)


def _can_bind(family: int, address: tuple[object, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.bind(address)
    except OSError:
        return False
    return True
