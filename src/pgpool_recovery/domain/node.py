"""The node to be recovered, and the arguments of the stage scripts that name it."""

import ipaddress
import posixpath
import re
from collections.abc import Sequence
from typing import NewType

from pgpool_recovery.domain.error import UsageError
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.text import steers

NodeId = NewType("NodeId", int)

MAX_NODES = 128  # MAX_NUM_BACKENDS (Pgpool-II, src/include/pool_type.h).
MAX_PORT = 65535
MIN_WORDS, MAX_WORDS = 3, 7
OWN_SLOT = re.compile(r"pgpool_node_\d+")
"""The slots that recoveries create for nodes whose id is known."""
LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*\.?")
MAX_HOST_CHARACTERS = 253  # RFC 1035; a label may have 63.
ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")  # An interface by name (IFNAMSIZ - 1) or number.
SOCKET_DIRECTORY = re.compile(r"/[^\s\x00-\x1f\x7f-\x9f,](?:[^\x00-\x1f\x7f-\x9f\u2028\u2029,]*)|/")
"""A comma is not allowed, since it separates the hosts of a list in libpq."""
MAX_IDENTIFIER_BYTES = 63  # NAMEDATALEN - 1, the limit of a slot's name.


@record
class Target:
    """The node to be recovered, as Pgpool-II names it; `port` and `node_id` may be unknown."""

    host: str
    data_directory: str
    node_id: NodeId | None = None
    port: int | None = None

    @property
    def name(self) -> str:
        """How messages name it."""
        return (
            f"{self.host}:{self.data_directory}" if self.node_id is None else f"node {self.node_id}"
        )

    @property
    def slot_name(self) -> str:
        """The physical replication slot of this node on whichever node is primary.

        >>> Target("server1", "/data", NodeId(1)).slot_name
        'pgpool_node_1'
        >>> Target("Server-1.example", "/data").slot_name
        'pgpool_server_1_example_data'
        """
        own = (
            f"{self.host}{self.data_directory}" if self.node_id is None else f"node_{self.node_id}"
        )
        return "pgpool_" + re.sub(r"[^a-z0-9_]", "_", own.lower())[: MAX_IDENTIFIER_BYTES - 7]


@record
class RecoveryRequest:
    """What the first stage is called for: the target, and how to reach the primary.

    `may_name_hosts`: the caller is trusted to name the primary's host (plan/named_host.py).
    """

    target: Target
    primary_port: int
    primary_host: str | None = None
    may_name_hosts: bool = True


def parse_first_stage(words: Sequence[str], own_port: int) -> RecoveryRequest:
    """Parse the three to seven arguments of recovery_1st_stage.

    They are: own data directory, target host, target data directory, primary port, node id, target
    port, primary host. With four arguments, the last one is the target's port if it differs from
    `own_port`, the port of the server that runs the script. Pgpool-II's sample scripts call it this
    way. Raises UsageError.

    >>> parse_first_stage(["/own", "host", "/data", "5433"], own_port=5432).target.port
    5433
    >>> parse_first_stage(["/own", "host", "/data", "5432"], own_port=5432).target.port
    5432
    """
    if not MIN_WORDS <= len(words) <= MAX_WORDS:
        raise UsageError(
            f"recovery_1st_stage takes {MIN_WORDS} to {MAX_WORDS} arguments, not {len(words)}"
        )
    given: list[str | None] = [*words, *[None] * (MAX_WORDS - len(words))]
    port, node_id, target_port, primary_host = given[MIN_WORDS:]
    primary_port = own_port if port is None else parse_port(port)
    if len(words) == MIN_WORDS + 1:
        target_port, primary_port = port, own_port
    return RecoveryRequest(
        target=Target(
            host=parse_host(words[1]),
            data_directory=parse_data_directory(words[2]),
            node_id=None if node_id is None else parse_node_id(node_id),
            port=None if target_port is None else parse_port(target_port),
        ),
        primary_port=primary_port,
        primary_host=None if primary_host is None else parse_host(primary_host),
    )


def parse_remote_start(words: Sequence[str]) -> Target:
    """Parse the arguments of pgpool_remote_start: target host and target data directory.

    Raises UsageError.
    """
    if len(words) != 2:
        raise UsageError(f"pgpool_remote_start takes 2 arguments, not {len(words)}")
    return Target(host=parse_host(words[0]), data_directory=parse_data_directory(words[1]))


def parse_host(text: str, *, hint: str = "Check backend_hostname in pgpool.conf.") -> str:
    """Return a host name, an IPv4 or IPv6 address, or the directory of a local socket.

    Anything else is a UsageError: to ssh, libpq and the resolver, a user before an @, a list, a
    URL, an option or an expansion would mean more than a name. An underscore is not valid in a host
    name, but is accepted because Docker and others use it.

    >>> parse_host("db-1.example.com"), parse_host("fe80::1%eth0"), parse_host("/run/postgresql")
    ('db-1.example.com', 'fe80::1%eth0', '/run/postgresql')
    """
    is_name = HOST_NAME.fullmatch(text) is not None and len(text) <= MAX_HOST_CHARACTERS
    if not (is_name or _is_address(text) or SOCKET_DIRECTORY.fullmatch(text)):
        raise UsageError(
            f'invalid host name "{text}"',
            detail="It must be a host name, an IPv4 or IPv6 address, or the directory of a local "
            "socket.",
            hint=hint,
        )
    return text


def _is_address(text: str) -> bool:
    """Return whether a text is an IPv6 address, with or without an interface after a percent sign.

    An IPv4 address already has the form of a host name.
    """
    address, percent, zone = text.partition("%")
    if percent and not ZONE.fullmatch(zone):
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def parse_data_directory(text: str) -> str:
    """Return an absolute path without redundant parts; raise UsageError for any other.

    >>> parse_data_directory("/var/lib//pgsql/15/data/")
    '/var/lib/pgsql/15/data'
    """
    hint = "Check backend_data_directory in pgpool.conf."
    if not text.startswith("/"):
        raise UsageError(f'data directory "{text}" is not an absolute path', hint=hint)
    if steers(text):
        raise UsageError(f'data directory "{text}" contains a control character', hint=hint)
    if ".." in text.split("/"):
        raise UsageError(f'data directory "{text}" contains ".."', hint=hint)
    return posixpath.normpath("/" + text.lstrip("/"))


def parse_node_id(text: str) -> NodeId:
    """Return a node id of Pgpool-II; raise UsageError if it is not one."""
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) >= MAX_NODES:
        detail = f"It must be between 0 and {MAX_NODES - 1}."
        raise UsageError(f'invalid node id "{text}"', detail=detail)
    return NodeId(int(text))


def parse_port(text: str) -> int:
    """Return a TCP port; raise UsageError if it is not one."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_PORT:
        raise UsageError(f'invalid port "{text}"', detail=f"It must be between 1 and {MAX_PORT}.")
    return int(text)
