"""Read the tar archives of a base backup as they arrive (POSIX ustar, as pgtar.h writes it).

Everything in a header is checked, because it decides which file is written. The checksum detects a
stream that is out of step, and a name must stay below the directory of the archive.
"""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import text_of

HEADER_BYTES = 512
MAX_FILE_BYTES = 2**50
NAME, MODE, SIZE, SUM, KIND, LINK, MAGIC, PREFIX = (
    slice(0, 100),
    slice(100, 108),
    slice(124, 136),
    slice(148, 156),
    slice(156, 157),
    slice(157, 257),
    slice(257, 262),
    slice(345, 500),
)
NUMBER_IS_BINARY = 0x80


class MemberKind(Enum):
    """The kinds of members in an archive; a server sends no others."""

    FILE = b"0"
    LINK = b"2"
    DIRECTORY = b"5"


@record
class Member:
    """A member of an archive: its path, without a leading ``./``, and the size of a file.

    `mode` has only the permissions.
    """

    path: str
    kind: MemberKind
    size_bytes: int
    target: str
    mode: int = 0o600


class Sink(Protocol):
    """Where the data of one member goes."""

    def write(self, data: memoryview) -> None:
        """Take the next piece, of any size."""

    def close(self) -> None:
        """Finish: all of the data has been written."""


class Nothing:
    """Takes what is not wanted, or has no data (`Sink`)."""

    def write(self, data: memoryview) -> None:
        """Discard it."""

    def close(self) -> None:
        """Do nothing."""


class TarStream:
    """Takes one archive in pieces; `open_sink` returns where each member goes."""

    def __init__(self, name: str, open_sink: Callable[[Member], Sink]) -> None:
        self._name = name
        self._open_sink = open_sink
        self._header = bytearray()
        self._sink: Sink | None = None
        self._left_bytes = 0
        self._padding_bytes = 0
        self._has_ended = False

    def feed(self, data: memoryview) -> None:
        """Take the next piece."""
        while data:
            if self._sink is not None:
                data = self._feed_member(self._sink, data)
            elif self._padding_bytes > 0:
                skipped = min(self._padding_bytes, len(data))
                self._padding_bytes -= skipped
                data = data[skipped:]
            else:
                data = self._feed_header(data)

    def finish(self) -> None:
        """End the archive; raise Undone when something is missing."""
        if not self._has_ended or self._sink is not None or self._header:
            raise Undone(f"the archive {self._name} of the base backup was cut off")

    def _feed_member(self, sink: Sink, data: memoryview) -> memoryview:
        taken = data if len(data) <= self._left_bytes else data[: self._left_bytes]
        sink.write(taken)
        self._left_bytes -= len(taken)
        if self._left_bytes == 0:
            sink.close()
            self._sink = None
        return data[len(taken) :]

    def _feed_header(self, data: memoryview) -> memoryview:
        missing = HEADER_BYTES - len(self._header)
        self._header += data[:missing]
        if len(self._header) == HEADER_BYTES:
            header, self._header = bytes(self._header), bytearray()
            self._take_header(header)
        return data[missing:]

    def _take_header(self, header: bytes) -> None:
        """Begin a member; headers of zeros mark the end of an archive."""
        if not any(header):
            self._has_ended = True
            return
        if self._has_ended:
            raise Undone(f"the archive {self._name} of the base backup goes on after its end")
        member = parse_header(header)
        self._sink = self._open_sink(member)
        self._left_bytes = member.size_bytes
        self._padding_bytes = -member.size_bytes % HEADER_BYTES
        if self._left_bytes == 0:
            self._sink.close()
            self._sink = None


def parse_header(header: bytes) -> Member:
    """Return the member that a header begins; raise Undone when no server sends such a header."""
    try:
        if _number(header[SUM]) != _sum(header) or header[MAGIC] != b"ustar":
            raise ValueError("its checksum is wrong")  # noqa: TRY301 - one handler for all
        kind = MemberKind(header[KIND])
        size_bytes = _number(header[SIZE])
        if size_bytes > MAX_FILE_BYTES or (kind is not MemberKind.FILE and size_bytes > 0):
            raise ValueError(f"its size is {size_bytes}")  # noqa: TRY301
        prefix, name = _text(header[PREFIX]), _text(header[NAME])
        path = checked_path(f"{prefix}/{name}" if prefix else name)
        mode = _number(header[MODE]) & 0o777
        return Member(path, kind, size_bytes, _text(header[LINK]), mode)
    except ValueError as error:
        raise Undone(
            "the primary sent an archive that cannot be read",
            detail=f"A header is malformed: {error}. It begins with {header[:60]!r}.",
        ) from error


def checked_path(name: str) -> str:
    """Return a path that stays below its starting directory; raise ValueError for any other.

    >>> checked_path("./pg_wal/summaries/")
    'pg_wal/summaries'
    """
    path = name.removeprefix("./").removesuffix("/")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"the name {name!r} points elsewhere")
    return path


def _number(field: bytes) -> int:
    """Return an octal number, or one in base 256, as used for large files (print_tar_number)."""
    if field[0] == NUMBER_IS_BINARY:
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b" \0").lstrip(b" ")
    if not digits or digits.strip(b"01234567"):
        raise ValueError(f"{field!r} is not a number")
    return int(digits, 8)


def _sum(header: bytes) -> int:
    """Return the sum of all bytes; the field of the checksum itself counts as spaces."""
    return sum(header) - sum(header[SUM]) + ord(" ") * 8


def _text(field: bytes) -> str:
    return text_of(field.split(b"\0", 1)[0])
