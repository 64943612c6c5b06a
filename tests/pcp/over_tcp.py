"""Query a Pgpool-II from a client's host with the installed product: HOST PORT USER."""

import json
import sys

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.digest import PasswordDigest
from pgpool_recovery.pcp.pool import Pool

PORT_OF_CLIENTS = 9999
NOBODYS_PORT = 9


def failure(server: PcpServer, port: int) -> Unreachable:
    """Return the error of a query at a port."""
    address = server.address._replace(port=port)
    try:
        Pool(server._replace(address=address)).nodes()
    except Unreachable as error:
        return error
    raise AssertionError(port)


def main() -> None:
    """Query the nodes, a port without a server, and another server's; stdin has the password."""
    host, port, user = sys.argv[1:]
    password = PasswordDigest.of_password(sys.stdin.read())
    server = PcpServer(PcpAddress(host, int(port)), user, password)
    nobody, other = failure(server, NOBODYS_PORT), failure(server, PORT_OF_CLIENTS)
    found = {
        "hosts": [node.hostname for node in Pool(server).nodes()],
        "wrong port": nobody.message,
        "wrong port detail": nobody.detail,
        "port of clients": other.message,
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
