"""Whether a password may be sent to the host that an SQL caller names as the primary.

A user who may call the functions may name any host, and a login sends that host the password of the
node's role, or lets it ask for the password. A superuser could have read the password anyway. For
any other user the host must be known from elsewhere: it is this host, by its names or addresses, or
one that the settings or the node's own configuration name.
"""

import ipaddress
from collections.abc import Collection, Mapping

from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.rejection import Rejection

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
DEFAULT_PORT = 5432
MAX_ADDRESSES = 4
SHOWN_ADDRESSES = 5


@record
class Endpoint:
    """A host as it is spelt somewhere, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"host {self.host} port {self.port}"


@record
class OwnHost:
    """What the primary's host knows about itself, and the port of its server."""

    names: frozenset[str]
    addresses: frozenset[str]
    socket_directories: tuple[str, ...]
    port: int


def places_of(
    named: Endpoint,
    resolved: Collection[str],
    own: OwnHost,
    known: Collection[Endpoint],
    *,
    target_addresses: Collection[str],
    is_local: bool,
) -> tuple[Conninfo, ...] | Rejection:
    """Return where a target may log in if a caller names a host, or why it may not.

    `resolved` holds the addresses of the name on the primary's host. A name that resolves only to
    our own addresses may resolve to others on the target, or a moment later, so the address is
    passed along with it and is not looked up again. `known` are the endpoints that the settings or
    the node itself name.
    """
    if named in known:
        return ({"host": named.host},)
    if named.port != own.port:
        return _rejection(named, f"This server listens on port {own.port}.")
    if named.host.startswith("/"):
        if is_local and named.host in own.socket_directories:
            return ({"host": named.host},)
        return _rejection(named, "It is not a socket directory that both servers have.")
    if named.host.lower() in own.names or (is_local and named.host in LOCAL_HOSTS):
        return ({"host": named.host},)
    if not resolved:
        return _rejection(named, "The name cannot be resolved on this host.")
    strangers = [text for text in resolved if not _is_own(text, own, is_local=is_local)]
    if strangers:
        shown = ", ".join(strangers[:SHOWN_ADDRESSES])
        return _rejection(named, f"On this host it resolves to {shown}, which is another host.")
    shared = [text for text in resolved if text in target_addresses and not is_local]
    if shared:
        return _rejection(named, f"The target's host also has the address {shared[0]}.")
    if is_address(named.host):
        return ({"host": named.host},)
    return tuple({"host": named.host, "hostaddr": text} for text in [*resolved][:MAX_ADDRESSES])


def leads_astray(host: str, *, is_local: bool) -> bool:
    """Return whether the target would reach itself, because every host has that name."""
    return host in LOCAL_HOSTS and not is_local


def names_every_host(host: str) -> bool:
    """Return whether this is a place that every host has, where any of its users may listen.

    >>> [names_every_host(host) for host in ("/tmp", "localhost", "127.1.2.3", "192.0.2.1", "node")]
    [True, True, True, False, False]
    """
    is_place = host in LOCAL_HOSTS or host.startswith(("/", "@"))
    return is_place or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def endpoints_of(own: Mapping[str, str]) -> frozenset[Endpoint]:
    """Return the hosts of a connection string; libpq accepts a list of them, and one port for all.

    >>> sorted(map(str, endpoints_of({"host": "a,b", "port": "5433"})))
    ['host a port 5433', 'host b port 5433']
    """
    hosts = [*own.get("host", "").split(","), *own.get("hostaddr", "").split(",")]
    ports = own.get("port", "").split(",")
    count = len(own.get("host", "").split(","))
    found = set()
    for number, host in enumerate(hosts):
        text = ports[number % count] if len(ports) > 1 and number % count < len(ports) else ports[0]
        if host and (text.isdigit() or not text):
            found.add(Endpoint(host, int(text or DEFAULT_PORT)))
    return frozenset(found)


def is_address(host: str) -> bool:
    """Return whether a host is an address, which needs no lookup."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own(text: str, own: OwnHost, *, is_local: bool) -> bool:
    """Return whether an address is one of this host.

    Every host has loopback and link-local addresses, so with one of those the target would reach
    itself.
    """
    address = ipaddress.ip_address(text)
    if address.is_loopback or address.is_link_local:
        return is_local
    return text in own.addresses


def _rejection(named: Endpoint, why: str) -> Rejection:
    return Rejection(
        f'the primary\'s host "{named.host}", port {named.port}, is not known to be this server',
        detail=f"{why} The function was not called directly by a superuser, so no login is sent to "
        "a host that only the caller names.",
        hint=f'If it is right, write host = "{named.host}" and port = {named.port} into the table '
        "[node.N] of the primary in the settings of every host, or have a superuser call the "
        "function directly, not from another function or a DO block.",
    )
