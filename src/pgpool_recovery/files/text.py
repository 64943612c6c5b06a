r"""Text of others is bytes: it comes in here, whatever it is written in, and goes out as it came.

Nobody tells in which encoding a configuration file, a label or a path is: PostgreSQL writes them in
the encoding of some database, and takes any byte. So bytes that are no UTF-8 are kept as halves of
surrogate pairs (PEP 383), which `bytes_of`, `files.write` and the operating system turn back into
the same bytes, and the messages between the hosts carry. Nothing is made of "\r" or of any other
character: a line ends at "\n" (`lines_of`). And no file is read without a limit, nor waited for.

No other module decodes what comes from outside (ci/rules/foreign_text.py).
"""

import errno
import os
from pathlib import Path

from pgpool_recovery.domain.line import lines_of

MAX_BYTES = 16 * 2**20
"""More than any file that we read as a text: mountinfo has some hundred bytes for each mount."""
READ_BYTES = 1 << 20


def text_of(data: bytes) -> str:
    r"""Return bytes as a text that `bytes_of` turns back into them.

    >>> text_of(b"r\xe9plica"), bytes_of(text_of(b"r\xe9plica"))
    ('r\udce9plica', b'r\xe9plica')
    """
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the bytes that a text came from."""
    return text.encode("utf-8", "surrogateescape")


def read_bytes(path: Path, limit_bytes: int = MAX_BYTES) -> bytes:
    """Return what is in a file; raise OSError, also when it is longer than the limit.

    A FIFO that somebody has put there is not waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return read_opened(descriptor, path, limit_bytes)
    finally:
        os.close(descriptor)


def read_opened(descriptor: int, path: Path, limit_bytes: int = MAX_BYTES) -> bytes:
    """Return what is in a file that somebody has looked at before; raise OSError as read_bytes."""
    parts, size = list[bytes](), 0
    while part := os.read(descriptor, READ_BYTES):
        parts.append(part)
        size += len(part)
        if size > limit_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return b"".join(parts)


def read_text(path: Path, limit_bytes: int = MAX_BYTES) -> str:
    """Return the text of a file; raise OSError, also when it is longer than the limit."""
    return text_of(read_bytes(path, limit_bytes))


def read_lines(path: Path, limit_bytes: int = MAX_BYTES) -> list[str]:
    """Return the lines of a file; raise OSError, also when it is longer than the limit."""
    return lines_of(read_text(path, limit_bytes))


def read_words(path: Path, limit_bytes: int = MAX_BYTES) -> list[str]:
    """Return the words of a file that ends each with a NUL, as proc_pid_cmdline(5); raise OSError.

    The last one is empty when the file ends as it should.
    """
    return read_text(path, limit_bytes).split("\0")


__all__ = [
    "MAX_BYTES",
    "bytes_of",
    "lines_of",
    "read_bytes",
    "read_lines",
    "read_opened",
    "read_text",
    "read_words",
    "text_of",
]
