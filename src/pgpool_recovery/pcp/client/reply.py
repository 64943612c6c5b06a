"""Gather the messages that answer one request until the answer is complete."""

from typing import List, NamedTuple, Optional

from .field import integer_of, shown, strings_of
from .frame import LENGTH_BYTES, Frame
from .pcp_error import malformed
from .request import Request

COMPLETE = "CommandComplete"
ARRAY_SIZE = "ArraySize"
MAX_ANSWER_BYTES = 1 << 23
MAX_ANSWER_STRINGS = 3 << 18
"""Room for 35,000 pooled connections, with 22 strings and about 230 bytes each.

The limits are there because the server is not trusted: a database role may send a request to a
server of its own, from a backend of the database server.
"""


class Reply(NamedTuple):
    """An answer: its rows, each a list of strings without their tag.

    `array_size` is the number of rows that the answer announced; None for the kind of answer that
    consists of one message and does not announce any.
    """

    rows: List[List[str]]
    array_size: Optional[int]


class ReplyReader:
    """Collects the messages of one answer."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._rows: List[List[str]] = []
        self._array_size: Optional[int] = None
        self._bytes = 0
        self._strings = 0

    def add(self, frame: Frame) -> Optional[Reply]:
        """Take the next message; return the answer if this was its last, else None."""
        self._check(frame)
        tag, _, rest = frame.payload.partition(b"\0")
        if tag == ARRAY_SIZE.encode("ascii"):
            self._begin_array(frame.letter, rest)
            return None
        row = strings_of(frame.payload)
        if row[0] == COMPLETE:
            return self._complete(row[1:])
        if row[0] != self._request.row_tag or self._array_size is None:
            raise malformed(self._about("has an unexpected part %s" % shown(row[0])))
        self._rows.append(row[1:])
        return None

    def _check(self, frame: Frame) -> None:
        if frame.letter != self._request.answer:
            letters = (frame.letter, self._request.answer)
            raise malformed(self._about("has the letter %s instead of %s" % letters))
        self._bytes += len(frame.payload)
        if self._bytes > MAX_ANSWER_BYTES:
            raise malformed(self._about("has more than %d bytes" % MAX_ANSWER_BYTES))
        self._strings += frame.payload.count(b"\0")  # Each takes more memory than its bytes.
        if self._strings > MAX_ANSWER_STRINGS:
            raise malformed(self._about("has more than %d strings" % MAX_ANSWER_STRINGS))

    def _begin_array(self, letter: str, rest: bytes) -> None:
        """Take the number of rows: four bytes in the answer b, decimal digits in all others."""
        if self._request.row_tag is None or self._array_size is not None:
            raise malformed(self._about("announces rows that it cannot have"))
        if letter == "b":
            if len(rest) != LENGTH_BYTES:
                raise malformed(self._about("does not announce how many rows it has"))
            self._array_size = int.from_bytes(rest, "big")
        else:
            self._array_size = integer_of(strings_of(rest)[0], ARRAY_SIZE)

    def _complete(self, fields: List[str]) -> Reply:
        if self._array_size is None:
            return Reply([fields], None)
        return Reply(self._rows, self._array_size)

    def _about(self, what: str) -> str:
        return 'The answer to "%s" %s.' % (self._request.name, what)
