"""Whether the client of a backend is still connected."""

import socket
from pathlib import Path

from pgpool_recovery_server.caller import caller_is_gone, find_caller


def test_client_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert find_caller(port) is None, "a listening socket is no caller"
        with socket.create_connection(("127.0.0.1", port)) as client:
            connection, _ = listening.accept()
            with connection:
                found = find_caller(port)
                assert found == connection.fileno()
                assert not caller_is_gone(found)
                client.close()
                assert caller_is_gone(found)


def test_client_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / ".s.PGSQL.5432"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            connection, _ = listening.accept()
            with connection:
                found = find_caller(5432)
                assert found == connection.fileno()
                client.shutdown(socket.SHUT_RDWR)
                assert caller_is_gone(found)


def test_other_connections_are_not_taken_for_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert find_caller(port) is None, "our own end of a connection elsewhere"
