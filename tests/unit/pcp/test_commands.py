"""Commands over a real socket, to servers of bytes: old releases, silent and malicious ones."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from pgpool_recovery.pcp.client import commands
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.pcp_error import Notice, PcpError
from pgpool_recovery.pcp.client.request import attach_node
from tests.unit.pcp.byte_server import ANSWER_S, LIMITS, Client, answering, byte_server
from tests.unit.pcp.conversation import PASSWORD
from tests.unit.pcp.node_streams import NODE_STREAMS
from tests.unit.pcp.stream import SALT, message, notice, one, rows, said, strings

OLD = one("i", *NODE_STREAMS[4].fields)
NEW_FIELDS = NODE_STREAMS[-1].fields
NEW = rows("i", "NodeInfo", NEW_FIELDS)
ALL_NEW = rows("i", "NodeInfo", NEW_FIELDS, NEW_FIELDS)


def test_nodes_of_4_2_are_asked_one_by_one(tmp_path: Path) -> None:
    """The request for all is not sent: such a server would read outside its array."""
    turns = [
        answering("I", b"0\0", OLD),
        answering("L", b"", one("l", 2)),
        answering("I", b"1\0", OLD),
    ]
    with byte_server(tmp_path, *turns) as server:
        assert [node.node_id for node in commands.node_infos(server)] == [0, 1]


def test_nodes_of_4_3_are_asked_at_once(tmp_path: Path) -> None:
    turns = [answering("I", b"0\0", NEW), answering("I", b"-1\0", ALL_NEW)]
    with byte_server(tmp_path, *turns) as server:
        assert [node.node_id for node in commands.node_infos(server)] == [0, 1]


def test_nodes_of_a_known_release_take_one_connection(tmp_path: Path) -> None:
    with byte_server(tmp_path, answering("I", b"-1\0", ALL_NEW)) as server:
        assert len(commands.node_infos(server._replace(release=(4, 6)))) == 2


@pytest.mark.parametrize(("answer", "payload"), [(OLD, b"1\0"), (NEW, b"1 \0n")])
def test_promotion_has_the_form_of_the_release(
    tmp_path: Path, answer: bytes, payload: bytes
) -> None:
    turns = [answering("I", b"1\0", answer), answering("J", payload, one("d"))]
    with byte_server(tmp_path, *turns) as server:
        commands.promote(server, 1)


def test_promotion_in_a_release_that_is_told(tmp_path: Path) -> None:
    with byte_server(tmp_path, answering("j", b"1 \0s", one("d"))) as server:
        told = server._replace(release=(4, 3))
        commands.promote(told, 1, gracefully=True, switchover=True)


def cut_in_the_middle(client: Client) -> None:
    """An answer without its end, as up to 4.7.2; the client stops waiting for it."""
    client.let_in()
    client.request()
    client.send(NEW[:-7])
    assert client.request() == ("X", b"")


def test_node_info_without_its_end_is_asked_for_again(tmp_path: Path) -> None:
    turns = [cut_in_the_middle, cut_in_the_middle, answering("I", b"1\0", NEW)]
    with byte_server(tmp_path, *turns) as server:
        assert commands.node_info(server, 1).status == "down"


def test_node_info_is_asked_for_three_times_at_most(tmp_path: Path) -> None:
    begun = time.monotonic()
    with (
        byte_server(tmp_path, *3 * [cut_in_the_middle]) as server,
        pytest.raises(PcpError, match="did not send the rest of its answer in time") as caught,
    ):
        commands.node_info(server, 1)
    assert caught.value.sqlstate == "08006"
    assert time.monotonic() - begun < 3 * ANSWER_S, "it waited for longer than the silence"


def test_refusal_is_not_asked_for_again(tmp_path: Path) -> None:
    refusal = notice("E", S="ERROR", C="08006", M="informing node info failed")
    with (
        byte_server(tmp_path, answering("I", b"77\0", refusal)) as server,
        pytest.raises(PcpError, match="informing node info failed"),
    ):
        commands.node_info(server, 77)


def recovering(end: bytes) -> Callable[[Client], None]:
    def turn(client: Client) -> None:
        client.let_in()
        assert client.request() == ("A", b"client_min_messages\0log\0")
        client.send(one("a"))
        assert client.request() == ("O", b"1\0")
        client.send(notice(S="LOG", C="00000", M="starting recovering node 1"))
        last = notice(S="LOG", C="00000", M="recovery done")
        client.send(last[:9])
        time.sleep(1.5 * LIMITS.silence_s)  # A slow line is no reason to stop following a recovery.
        client.send(last[9:] + end)
        assert client.request() == ("X", b"")

    return turn


def test_recovery_tells_its_lines_while_it_lasts(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []

    def tell(notice: Notice) -> None:
        told.append((time.monotonic(), notice.message))

    with byte_server(tmp_path, recovering(one("c"))) as server:
        commands.recover(server, 1, tell)
    (first_at, first), (last_at, last) = told
    assert (first, last) == ("starting recovering node 1", "recovery done")
    assert last_at - first_at > LIMITS.silence_s / 2, "they were told at the end only"


def test_recovery_that_fails_tells_them_as_well(tmp_path: Path) -> None:
    failure = said('executing recovery, execution of command failed at "1st stage"')
    told: list[str] = []
    with (
        byte_server(tmp_path, recovering(failure)) as server,
        pytest.raises(PcpError, match="1st stage"),
    ):
        commands.recover(server, 1, lambda notice: told.append(notice.message))
    assert told == ["starting recovering node 1", "recovery done"]


def test_recovery_has_the_limit_that_is_given(tmp_path: Path) -> None:
    with (
        byte_server(tmp_path, silent_recovery) as server,
        pytest.raises(PcpError, match="did not send its answer in time") as caught,
    ):
        commands.recover(server, 1, within_s=0.3)
    assert caught.value.detail == "The wait was limited to 0.3 seconds."


def silent_recovery(client: Client) -> None:
    client.let_in()
    client.request()
    client.send(one("a"))
    silent_rest = [client.request()[0], client.request()[0]]
    assert silent_rest == ["O", "X"]


class Interrupted(Exception):
    """The exception of a check."""


def test_recovery_without_a_limit_can_be_interrupted(tmp_path: Path) -> None:
    stop = threading.Timer(0.3, lambda: None)
    stop.start()

    def check() -> None:
        if not stop.is_alive():
            raise Interrupted

    with byte_server(tmp_path, silent_recovery) as server, pytest.raises(Interrupted):
        commands.recover(server._replace(check=check), 1)


@contextmanager
def deaf_server(directory: Path, family: int) -> Iterator[PcpServer]:
    """Run a server that accepts no connection and whose queue is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket(family))
        place = str(directory / ".s.PGSQL.9898") if family == socket.AF_UNIX else ("127.0.0.1", 0)
        listening.bind(place)
        listening.listen(0)
        name = listening.getsockname()
        for _ in range(2):
            waiting = stack.enter_context(socket.socket(family))
            waiting.settimeout(0)
            waiting.connect_ex(name)
        address = PcpAddress(str(directory)) if isinstance(name, str) else PcpAddress(*name)
        yield PcpServer(address, "pgpool", PASSWORD, limits=LIMITS._replace(connect_s=0.3))


FAMILIES = pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])


@FAMILIES
def test_connection_has_a_limit(tmp_path: Path, family: int) -> None:
    with (
        deaf_server(tmp_path, family) as server,
        pytest.raises(PcpError, match="could not connect") as caught,
    ):
        commands.node_count(server)
    assert "Connection timed out" in str(caught.value.detail)


@FAMILIES
def test_waiting_for_a_connection_can_be_interrupted(tmp_path: Path, family: int) -> None:
    checked: list[int] = []

    def check() -> None:
        checked.append(1)
        if len(checked) == 3:
            raise Interrupted

    with deaf_server(tmp_path, family) as server:
        patient = server._replace(check=check, limits=server.limits._replace(connect_s=60))
        with pytest.raises(Interrupted):
            commands.node_count(patient)


def endless_notices(client: Client) -> None:
    client.let_in()
    client.request()
    line = 100 * notice(S="LOG", M="again")
    with suppress(BrokenPipeError, ConnectionResetError):
        while True:  # Until the client gives up; the socket itself does after a while.
            client.send(line)


def test_endless_notices_end_at_the_limit(tmp_path: Path) -> None:
    with byte_server(tmp_path, endless_notices) as server:
        limits = LIMITS._replace(answer_s=0.5)
        with pytest.raises(PcpError, match="did not send its answer in time"):
            commands.node_count(server._replace(limits=limits))


def closing(*sent: bytes) -> Callable[[Client], None]:
    def turn(client: Client) -> None:
        client.request()
        for data in sent:
            client.send(data)

    return turn


@pytest.mark.parametrize(
    ("sent", "message_text"),
    [
        ([], "closed the connection during the login"),
        ([message("m", SALT)[:5]], "closed the connection during the login|lost the connection"),
        (
            [message("m", SALT), message("r", strings("AuthenticationOK")), one("l", 2)[:-1]],
            "lost the connection",
        ),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "cannot be understood"),
    ],
)
def test_server_that_closes(tmp_path: Path, sent: list[bytes], message_text: str) -> None:
    with (
        byte_server(tmp_path, *3 * [closing(*sent)]) as server,
        pytest.raises(PcpError, match=message_text) as caught,
    ):
        commands.node_count(server)
    assert caught.value.sqlstate.startswith("08")
    assert caught.value.hint


LOST = closing(message("m", SALT), message("r", strings("AuthenticationOK")))


def test_request_is_repeated_when_pgpool_restarts_its_pcp_process(tmp_path: Path) -> None:
    with byte_server(tmp_path, LOST, LOST, answering("L", b"", one("l", 2))) as server:
        assert commands.node_count(server) == 2


def test_order_is_given_once(tmp_path: Path) -> None:
    with byte_server(tmp_path, LOST) as server, pytest.raises(PcpError, match="lost the connect"):
        commands.order(server, attach_node(1))


def test_nothing_listens(tmp_path: Path) -> None:
    server = PcpServer(PcpAddress(str(tmp_path)), "pgpool", PASSWORD, limits=LIMITS)
    with pytest.raises(PcpError, match="could not connect to Pgpool-II at") as caught:
        commands.node_count(server)
    assert caught.value.sqlstate == "08001"
    assert "No such file or directory" in (caught.value.detail or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_listens_on_the_network(host: str) -> None:
    server = PcpServer(PcpAddress(host, 1), "pgpool", PASSWORD, limits=LIMITS)
    with pytest.raises(PcpError, match=r"could not connect to Pgpool-II at .* port 1$") as caught:
        commands.node_count(server)
    assert "127.0.0.1: Connection refused" in (caught.value.detail or "")


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "a\0b"])
def test_host_that_does_not_exist(host: str) -> None:
    server = PcpServer(PcpAddress(host), "pgpool", PASSWORD, limits=LIMITS)
    with pytest.raises(PcpError, match=r"could not connect|cannot contain a NUL"):
        commands.node_count(server)


def test_impossible_port() -> None:
    server = PcpServer(PcpAddress("127.0.0.1", 70000), "pgpool", PASSWORD)
    with pytest.raises(PcpError, match="invalid port 70000"):
        commands.node_count(server)


def test_a_server_does_not_show_its_password() -> None:
    server = PcpServer(PcpAddress(), "pgpool", PASSWORD)
    assert PASSWORD._md5 not in repr(server)
    assert "password=PasswordDigest(...)" in repr(server)
