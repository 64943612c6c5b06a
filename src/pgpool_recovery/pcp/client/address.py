"""Find where a Pgpool-II listens for PCP, by the rules of its own pcp_* commands."""

import os
from typing import List, NamedTuple

from .pcp_error import wrong_parameter

PCP_PORT = 9898
MAX_PCP_PORT = 65535
SOCKET_DIRECTORIES = ("/var/run/postgresql", "/run/postgresql")
"""The directories that are compiled into the pcp_* commands of the packages.

The /tmp of a build from source is not among them: anyone may create a socket there first, so it
must be given explicitly.
"""
LOCALHOST_DIRECTORIES = SOCKET_DIRECTORIES + ("/tmp",)  # noqa: S108
MAX_SOCKET_PATH_BYTES = 107  # sun_path without its NUL, unix(7).
LOCALHOST = "localhost"


class PcpAddress(NamedTuple):
    """A host and a port; an empty host or one that begins with / means a Unix socket."""

    host: str = ""
    port: int = PCP_PORT

    @property
    def is_unix(self) -> bool:
        """Whether it is reached through a Unix socket, without a network."""
        return not self.host or self.host.startswith("/")

    @property
    def name(self) -> str:
        """What messages call it."""
        if self.is_unix:
            return self.host or "the local socket"
        return "%s port %d" % (self.host, self.port)


def checked_address(address: PcpAddress) -> PcpAddress:
    """Return the address; raises PcpError when it cannot be valid."""
    if not 1 <= address.port <= MAX_PCP_PORT:
        raise wrong_parameter(
            "invalid port %d" % address.port, detail="A port is 1 to %d." % MAX_PCP_PORT
        )
    if "\0" in address.host:
        raise wrong_parameter("a host name cannot contain a NUL")
    return address


def socket_paths(address: PcpAddress) -> List[str]:
    """Return the paths where the Unix socket may be, the likeliest first.

    The file name is like that of PostgreSQL's sockets; the port tells them apart.
    """
    directories = [address.host] if address.host else list(SOCKET_DIRECTORIES)
    paths = [os.path.join(one, ".s.PGSQL.%d" % address.port) for one in directories]
    for path in paths:
        if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
            raise wrong_parameter(
                'the path "%s" is too long for a socket' % path,
                detail="It may have at most %d bytes." % MAX_SOCKET_PATH_BYTES,
            )
    return paths


def pass_file_hosts(address: PcpAddress) -> List[str]:
    """Return the names that a line of the pass file may use for this host.

    The pcp_* commands use localhost for their own default directory, and which directory that is
    depends on the package. So for any of these directories both localhost and its path match.
    """
    if not address.host:
        return [LOCALHOST]
    if address.host.rstrip("/") in LOCALHOST_DIRECTORIES:
        return [LOCALHOST, address.host]
    return [address.host]
