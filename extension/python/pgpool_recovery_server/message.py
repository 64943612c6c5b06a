"""Encode messages between backend and supervisor: a length, then a value in Python's binary form.

Not JSON, whose module takes 5 ms of each new session to import. Every Python 3 reads version 2 of
the form, so the two processes may run different releases.
"""

import marshal
from typing import Optional, Tuple

from server_types import Message

VERSION = 2
HEADER_BYTES = 4


def encode_message(message: Message) -> bytes:
    """Return a dictionary of plain values as bytes."""
    data = marshal.dumps(message, VERSION)
    return len(data).to_bytes(HEADER_BYTES, "big") + data


def take_message(received: bytes) -> Tuple[Optional[Message], bytes]:
    """Return the first message in the received bytes, or None, and the bytes after it.

    >>> take_message(encode_message({"ended": 0}) + b"rest")
    ({'ended': 0}, b'rest')
    >>> take_message(encode_message({"ended": 0})[:-1])[0]
    """
    end = HEADER_BYTES + int.from_bytes(received[:HEADER_BYTES], "big")
    if len(received) < max(end, HEADER_BYTES + 1):
        return None, received
    return marshal.loads(received[HEADER_BYTES:end]), received[end:]
