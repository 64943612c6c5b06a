"""Conduct one command on one connection, from the salt to the answer, without the socket.

A connection serves one command only: a PCP process of Pgpool-II keeps the node states from the time
of the connect, and up to 4.4 a connection that stays open stalls the next failover
(pcp_exit_handler, src/pcp_con/pcp_child.c).
"""

from typing import Iterator, Optional, Tuple

from .digest import SALT_BYTES, PasswordDigest
from .field import notice_of, strings_of
from .frame import Frame, FrameBuffer, encode_frame
from .pcp_error import LOGIN_REFUSED, Notice, PcpError, malformed, wrong_parameter
from .reply import Reply, ReplyReader
from .request import Request

MAX_USER_BYTES = 127
GOODBYE = encode_frame("X")


class Dialogue:
    r"""What to send, and what the received bytes mean.

    Send `take_outgoing()`, then pass everything that arrives to `receive` until `reply` is set.

    >>> password = PasswordDigest.of_password("secret")
    >>> dialogue = Dialogue("pgpool", password, Request("node count", "L", b"", "l"))
    >>> dialogue.take_outgoing()
    b'M\x00\x00\x00\x04'
    """

    def __init__(
        self,
        user: str,
        password: PasswordDigest,
        request: Request,
        setting: Optional[Request] = None,
    ) -> None:
        """Prepare a request, after a setting of the process that serves it if there is one."""
        self.reply: Optional[Reply] = None
        self._login: Tuple[str, PasswordDigest] = (_valid_user(user), password)
        self._waiting = [request] if setting is None else [request, setting]
        self._reader: Optional[ReplyReader] = None
        self._frames = FrameBuffer()
        self._outgoing = encode_frame("M")

    @property
    def is_inside_message(self) -> bool:
        """Whether the last message has begun to arrive but is not complete."""
        return self._frames.is_inside_frame

    @property
    def is_logged_in(self) -> bool:
        """Whether the server has accepted the login."""
        return self._reader is not None

    def take_outgoing(self) -> bytes:
        """Return what must be sent now; each byte is returned only once."""
        data, self._outgoing = self._outgoing, b""
        return data

    def receive(self, data: bytes) -> Iterator[Notice]:
        """Take received bytes and yield the notices among them, until all bytes are parsed.

        When the server answers with an error or with something that is not PCP, raises PcpError
        after the notices that came before it.
        """
        self._frames.feed(data)
        while self.reply is None:
            frame = self._frames.take()
            if frame is None:
                return
            if frame.letter == "N":
                yield notice_of(frame.payload)
            else:
                self._answered(frame)

    def _answered(self, frame: Frame) -> None:
        if frame.letter == "E":
            raise self._refused(notice_of(frame.payload))
        if self._reader is None:
            self._log_in(frame)
            return
        reply = self._reader.add(frame)
        if reply is None:
            return
        if self._waiting:
            self._begin_next()
        else:
            self.reply = reply

    def _log_in(self, frame: Frame) -> None:
        if frame.letter == "m" and len(frame.payload) == SALT_BYTES:
            user, password = self._login
            words = (user, password.proof(user, frame.payload))
            self._outgoing += encode_frame("R", b"".join(_encoded(word) for word in words))
        elif frame.letter == "r" and strings_of(frame.payload) == ["AuthenticationOK"]:
            self._begin_next()
        else:
            raise malformed("The message %s is not an answer to a login." % frame.letter)

    def _begin_next(self) -> None:
        request = self._waiting.pop()
        self._reader = ReplyReader(request)
        self._outgoing += encode_frame(request.letter, request.payload)

    def _refused(self, notice: Notice) -> PcpError:
        if self.is_logged_in:
            return PcpError(notice.message, notice.detail, notice.hint, notice.sqlstate, notice)
        return PcpError(
            notice.message,
            notice.detail,
            notice.hint or "Check the password, as given or in the pass file, and pcp.conf.",
            LOGIN_REFUSED,
            notice,
        )


def _valid_user(user: str) -> str:
    if not user or "\0" in user or len(_encoded(user)) > MAX_USER_BYTES:
        raise wrong_parameter(
            "the PCP user name is not valid", detail="It must have 1 to %d bytes." % MAX_USER_BYTES
        )
    return user


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"
