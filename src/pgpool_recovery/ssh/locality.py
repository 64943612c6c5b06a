"""Whether a host is this one, so that no ssh is needed to reach it."""

import ipaddress
import re
import socket
from pathlib import Path

IPV4_ROUTES = Path("/proc/net/fib_trie")
IPV6_ADDRESSES = Path("/proc/net/if_inet6")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_this_host(host: str) -> bool:
    """Say whether one of the host's addresses belongs to this machine.

    A path names a Unix socket, which is local.
    """
    if host.startswith("/"):
        return True
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # No name at all, or none that can be asked for.
        return False
    own = own_addresses()
    addresses = {ipaddress.ip_address(str(where[0]).partition("%")[0]) for *_, where in found}
    return any(address.is_loopback or address in own for address in addresses)


def own_addresses() -> set[Address]:
    """Return the addresses of this machine's interfaces, as the kernel lists them.

    That a socket can be bound to an address does not tell: with net.ipv4.ip_nonlocal_bind, as
    keepalived has it, it can be bound to any.
    """
    v4 = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", _text(IPV4_ROUTES))
    v6 = [bytes.fromhex(line.split()[0]) for line in _text(IPV6_ADDRESSES).splitlines()]
    return {*map(ipaddress.IPv4Address, v4), *map(ipaddress.IPv6Address, v6)}


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""  # A kernel without IPv6 has none.
