"""Hold a dialogue over a socket, with a limit on every wait."""

import errno
import os
import select
import socket
import time
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

from .address import PcpAddress, checked_address, socket_paths
from .dialogue import GOODBYE, Dialogue
from .pcp_error import CANNOT_CONNECT, CONNECTION_LOST, Notice, PcpError
from .peer import check_peer
from .reply import Reply

RECEIVED_BYTES = 65536
CHECK_EVERY_S = 0.1
STILL_CONNECTING = (errno.EINPROGRESS, errno.EAGAIN)
CHECK_HINT = (
    "Check that Pgpool-II is running, and pcp_listen_addresses, pcp_port and pcp_socket_dir."
)


SocketAddress = Union[str, Tuple[Any, ...]]
"""The argument of connect(): a path, or an address and a port."""


class LinkLimits(NamedTuple):
    """How long each thing may take, in seconds.

    `connect_s` covers all addresses of a host, though the resolver has its own limits. `answer_s`
    covers a whole command including the login; None sets no limit. `silence_s` is how long the rest
    of a message may be missing. Up to 4.7.2 the end of an answer about nodes may never come, and a
    separate limit for that can be short.
    """

    connect_s: float = 10.0
    answer_s: Optional[float] = 30.0
    silence_s: float = 5.0


def no_notice(notice: Notice) -> None:
    """Ignore a notice."""


def no_check() -> None:
    """Check nothing while waiting."""


class Link:
    """A connection for one command; closing it sends the message that ends the session."""

    def __init__(self, address: PcpAddress, limits: LinkLimits, check: Callable[[], None]) -> None:
        """Connect; Pgpool-II sends nothing before it receives a message.

        `check` is called at least every 0.1 s during each wait for a connection or an answer, and
        ends the wait by raising an exception, such as that of an interrupted backend. The resolver,
        which finds the addresses of a host, cannot be interrupted.
        """
        self._address = checked_address(address)
        self._limits = limits
        self._check = check
        self._socket = _connect(self._address, time.monotonic() + limits.connect_s, check)

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Send the final message, without which the server logs an error, and close."""
        try:
            self._socket.settimeout(0)
            self._socket.send(GOODBYE)
        except OSError:
            pass  # After a fatal error the server closes first.
        finally:
            self._socket.close()

    def converse(self, dialogue: Dialogue, on_notice: Callable[[Notice], None]) -> Reply:
        """Hold a dialogue and return its reply.

        Raises PcpError. Exceptions of `on_notice` and of the check are passed through.
        """
        deadline = _deadline(self._limits.answer_s)
        while dialogue.reply is None:
            self._send(dialogue.take_outgoing(), deadline)
            for notice in dialogue.receive(self._receive(dialogue, deadline)):
                on_notice(notice)
        return dialogue.reply

    def _send(self, data: bytes, deadline: Optional[float]) -> None:
        if not data:
            return
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from None

    def _receive(self, dialogue: Dialogue, deadline: Optional[float]) -> bytes:
        self._wait(dialogue, deadline)
        try:
            data = self._socket.recv(RECEIVED_BYTES)
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from None
        if not data:
            raise self._ended(dialogue)
        return data

    def _wait(self, dialogue: Dialogue, deadline: Optional[float]) -> None:
        """Wait until something has arrived."""
        silence = _deadline(self._limits.silence_s) if dialogue.is_inside_message else None
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            # Also when data keeps arriving: the notices may never end.
            self._check()
            if _is_over(deadline):
                raise self._silent("its answer", self._limits.answer_s or 0)
            if poll.poll(_tick_ms(deadline, silence)):
                return
            if _is_over(silence):
                raise self._silent("the rest of its answer", self._limits.silence_s)

    def _silent(self, what: str, seconds: float) -> PcpError:
        return PcpError(
            "Pgpool-II at %s did not send %s in time" % (self._address.name, what),
            detail="The wait was limited to %g seconds." % seconds,
            hint="Try again; during a failover Pgpool-II may not answer.",
        )

    def _lost(self, reason: str) -> PcpError:
        return PcpError(
            "lost the connection to Pgpool-II at %s: %s" % (self._address.name, reason),
            hint="Try again; a failover may have restarted the PCP process.",
        )

    def _ended(self, dialogue: Dialogue) -> PcpError:
        if dialogue.is_logged_in:
            return self._lost("it was closed before the answer was complete")
        return PcpError(
            "the server at %s closed the connection during the login" % self._address.name,
            hint="Check that the port is pcp_port, not another port of Pgpool-II.",
            sqlstate=CONNECTION_LOST,
        )


def _connect(address: PcpAddress, deadline: float, check: Callable[[], None]) -> socket.socket:
    """Return a socket that is connected to the first address that answers."""
    failures: List[str] = []
    for family, where in _places(address):
        try:
            connected = _connected(family, where, deadline, check)
        except OSError as error:
            failures.append("%s: %s" % (_place_name(where), error.strerror or error))
        else:
            return connected
    raise _no_connection(address, "; ".join(failures))


def _connected(
    family: int, where: SocketAddress, deadline: float, check: Callable[[], None]
) -> socket.socket:
    connected = socket.socket(family, socket.SOCK_STREAM)
    try:
        connected.settimeout(0)
        _finish_connecting(connected, where, deadline, check)
        if family == socket.AF_UNIX:
            check_peer(connected, _place_name(where))
        else:
            _keep_alive(connected)
    except BaseException:
        connected.close()
        raise
    return connected


def _finish_connecting(
    connecting: socket.socket, where: SocketAddress, deadline: float, check: Callable[[], None]
) -> None:
    """Connect and wait until connected; raises OSError on a failure.

    A connect to a Unix socket whose server is busy is tried again, since nothing signals when the
    server is ready.
    """
    state = connecting.connect_ex(where)
    while state in STILL_CONNECTING:
        check()
        if _is_over(deadline):
            state = errno.ETIMEDOUT
        elif state == errno.EAGAIN:
            time.sleep(_tick_ms(deadline) / 1000)
            state = connecting.connect_ex(where)
        elif _is_writable(connecting, _tick_ms(deadline)):
            state = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if state:
        raise OSError(state, os.strerror(state))


def _is_writable(connecting: socket.socket, within_ms: float) -> bool:
    poll = select.poll()
    poll.register(connecting, select.POLLOUT)
    return bool(poll.poll(within_ms))


def _places(address: PcpAddress) -> Iterator[Tuple[int, SocketAddress]]:
    """Yield the families and addresses at which a server may be found."""
    if address.is_unix:
        for path in socket_paths(address):
            yield socket.AF_UNIX, path
        return
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = (
            (error.strerror or str(error))
            if isinstance(error, OSError)
            else "not a valid host name"
        )
        raise _no_connection(address, "%s: %s" % (address.host, reason)) from None
    for family, _, _, _, where in found:
        yield family, where


def _place_name(where: SocketAddress) -> str:
    return where if isinstance(where, str) else str(where[0])


def _no_connection(address: PcpAddress, reason: str) -> PcpError:
    return PcpError(
        "could not connect to Pgpool-II at %s" % address.name,
        detail="%s." % reason,
        hint=CHECK_HINT,
        sqlstate=CANNOT_CONNECT,
    )


def _keep_alive(connected: socket.socket) -> None:
    """Detect a lost host within about two minutes, even while a recovery is silent."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)


def _deadline(seconds: Optional[float]) -> Optional[float]:
    return None if seconds is None else time.monotonic() + seconds


def _left(deadline: Optional[float]) -> Optional[float]:
    """Return the seconds until a deadline; never 0, which would mean non-blocking."""
    return None if deadline is None else max(0.001, deadline - time.monotonic())


def _is_over(deadline: Optional[float]) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _tick_ms(*deadlines: Optional[float]) -> float:
    ends = [one - time.monotonic() for one in deadlines if one is not None]
    return max(1.0, 1000 * min([CHECK_EVERY_S] + ends))
