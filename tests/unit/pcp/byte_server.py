"""A server of bytes on a Unix socket, for releases that are not installed, and malicious ones."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.link import LinkLimits
from tests.unit.pcp.conversation import PASSWORD
from tests.unit.pcp.stream import SALT, message, strings

GIVE_UP_S = 10
ANSWER_S = 2.0
LIMITS = LinkLimits(connect_s=2, answer_s=ANSWER_S, silence_s=0.3)

Serve = Callable[["Client"], None]


class Client:
    """One connection, as the server sees it."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(GIVE_UP_S)
        self._connected = connected

    def send(self, data: bytes) -> None:
        self._connected.sendall(data)

    def request(self) -> tuple[str, bytes]:
        """Return the letter and the payload of the next request; the letter is empty at the end."""
        head = self._exactly(5)
        if not head:
            return "", b""
        return chr(head[0]), self._exactly(int.from_bytes(head[1:], "big") - 4)

    def let_in(self) -> None:
        """Conduct the login without checking the proof."""
        assert self.request() == ("M", b"")
        self.send(message("m", SALT))
        assert self.request()[0] == "R"
        self.send(message("r", strings("AuthenticationOK")))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._connected.recv(size - len(data))
            if not more:
                break
            data += more
        return data


class ByteServer:
    """Serves one connection after another, each with the next of `turns`."""

    def __init__(self, directory: Path, turns: Sequence[Serve]) -> None:
        self.requests: list[str] = []
        self.failures: list[BaseException] = []
        self._turns = turns
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / ".s.PGSQL.9898"))
        self._listening.listen()
        self._listening.settimeout(GIVE_UP_S)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            for turn in self._turns:
                connected, _ = self._listening.accept()
                with connected:
                    turn(Client(connected))
        except BaseException as error:  # noqa: BLE001 - reported by end()
            self.failures.append(error)

    def end(self) -> None:
        """Wait for the last turn, and fail if one of them has failed."""
        self._thread.join(GIVE_UP_S)
        self._listening.close()
        assert not self._thread.is_alive(), "fewer connections came than expected"
        assert self.failures == []


@contextmanager
def byte_server(directory: Path, *turns: Serve) -> Iterator[PcpServer]:
    """Run a server with these turns; all of them must have been used by the end."""
    server = ByteServer(directory, turns)
    yield PcpServer(PcpAddress(str(directory)), "pgpool", PASSWORD, limits=LIMITS)
    server.end()


def answering(letter: str, payload: bytes, answer: bytes) -> Serve:
    """A turn that accepts the login, answers one request and expects the final message."""

    def turn(client: Client) -> None:
        client.let_in()
        assert client.request() == (letter, payload)
        client.send(answer)
        assert client.request() == ("X", b"")

    return turn
