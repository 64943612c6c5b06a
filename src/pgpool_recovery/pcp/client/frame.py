"""Encode and decode PCP messages: a letter, a length that includes itself, and a payload."""

from typing import NamedTuple, Optional

from .pcp_error import PcpError, malformed

LENGTH_BYTES = 4
HEAD_BYTES = 1 + LENGTH_BYTES
MAX_PAYLOAD_BYTES = 1 << 20
"""PCP sets no limit on answers; the longest, the list of child pids, has 8 bytes per pid."""
ANSWER_LETTERS = "EN" + "abcdghilmnprtvwz"


class Frame(NamedTuple):
    """One message without its length."""

    letter: str
    payload: bytes


def encode_frame(letter: str, payload: bytes = b"") -> bytes:
    r"""Return a message in the form that is sent.

    >>> encode_frame("I", b"1\0")
    b'I\x00\x00\x00\x061\x00'
    """
    length = LENGTH_BYTES + len(payload)
    return letter.encode("ascii") + length.to_bytes(LENGTH_BYTES, "big") + payload


class FrameBuffer:
    r"""The bytes that were received, split into messages.

    >>> buffer = FrameBuffer()
    >>> buffer.feed(b"l\0\0\0")
    >>> buffer.take() is None
    True
    >>> buffer.feed(b"\x06\x31\0m")
    >>> buffer.take()
    Frame(letter='l', payload=b'1\x00')
    """

    def __init__(self) -> None:
        self._received = bytearray()

    @property
    def is_inside_frame(self) -> bool:
        """Whether the beginning of a message has arrived, but not its end."""
        return bool(self._received)

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._received += data

    def take(self) -> Optional[Frame]:
        """Return the next message, or None until it is complete.

        Raises PcpError as soon as the letter or the length is not valid in PCP, rather than wait
        for a server that speaks another protocol.
        """
        if not self._received:
            return None
        letter = chr(self._received[0])
        if letter not in ANSWER_LETTERS:
            raise malformed("A message begins with %r, which is not valid in PCP." % letter)
        if len(self._received) < HEAD_BYTES:
            return None
        end = 1 + self._length()
        if len(self._received) < end:
            return None
        payload = bytes(self._received[HEAD_BYTES:end])
        del self._received[:end]
        return Frame(letter, payload)

    def _length(self) -> int:
        length = int.from_bytes(self._received[1:HEAD_BYTES], "big")
        if not LENGTH_BYTES <= length <= LENGTH_BYTES + MAX_PAYLOAD_BYTES:
            raise _impossible_length(length)
        return length


def _impossible_length(length: int) -> PcpError:
    return malformed(
        "A message has a length of %d bytes; %d to %d are possible."
        % (length, LENGTH_BYTES, LENGTH_BYTES + MAX_PAYLOAD_BYTES)
    )
