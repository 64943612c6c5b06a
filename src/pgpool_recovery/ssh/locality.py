"""Determine whether a host is this one, so that it can be reached without ssh."""

import ipaddress
import re
import socket
from pathlib import Path

from pgpool_recovery.files.text import lines_of, read_text

IPV4_ROUTES = Path("/proc/net/fib_trie")
IPV6_ADDRESSES = Path("/proc/net/if_inet6")
HOSTS = Path("/etc/hosts")
LOOPBACK = ("127.0.0.1", "::1")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_this_host(host: str) -> bool:
    """Return whether one of the host's addresses belongs to this machine.

    A path names a Unix socket, which is local.
    """
    if host.startswith("/"):
        return True
    own = own_addresses()
    return any(address.is_loopback or address in own for address in addresses_of(host))


def addresses_of(host: str) -> tuple[Address, ...]:
    """Return the addresses of a host, in the resolver's order; none if it is unknown.

    A name with an empty or too long part raises UnicodeError.
    """
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # An unknown name, or one that cannot be looked up.
        return ()
    texts = (str(where[0]).partition("%")[0] for *_, where in found)
    return tuple(dict.fromkeys(map(ipaddress.ip_address, texts)))


def only_here(host: str) -> tuple[Address, ...]:
    """Return the addresses of a host if all of them are this machine's, else none."""
    own, addresses = own_addresses(), addresses_of(host)
    are_own = all(address.is_loopback or address in own for address in addresses)
    return addresses if are_own else ()


def own_names() -> frozenset[str]:
    """Return the names that this machine's own files give it, in lower case.

    These are the host name, and the names in /etc/hosts of one of the machine's addresses or of
    127.0.1.1, which Debian gives to the host name. Names of 127.0.0.1 do not count, since every
    machine has them.
    """
    own = own_addresses()
    names, shared = [socket.gethostname(), socket.getfqdn()], {"localhost"}
    for line in lines_of(_text(HOSTS)):
        address, *aliases = line.partition("#")[0].split() or [""]
        if address in LOOPBACK:
            shared.update(alias.lower() for alias in aliases if alias != names[0])
        elif _is_own(address, own):
            names += aliases
    return frozenset(name.lower() for name in names) - shared


def _is_own(text: str, own: set[Address]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_loopback or address in own


def own_addresses() -> set[Address]:
    """Return the addresses of this machine's interfaces, as the kernel lists them.

    To try to bind a socket would prove nothing: with net.ipv4.ip_nonlocal_bind, as used with
    keepalived, that works for any address.
    """
    v4 = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", _text(IPV4_ROUTES))
    v6 = [bytes.fromhex(line.split()[0]) for line in lines_of(_text(IPV6_ADDRESSES))]
    return {*map(ipaddress.IPv4Address, v4), *map(ipaddress.IPv6Address, v6)}


def _text(file: Path) -> str:
    return read_text(file) if file.exists() else ""  # A kernel without IPv6 has none.
