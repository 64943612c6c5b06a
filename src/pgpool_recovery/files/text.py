r"""Read foreign text in any encoding, so that it can be written back as the same bytes.

The encoding of a configuration file, a label or a path is not known: PostgreSQL writes them in the
encoding of some database, and accepts any byte. So bytes that are not UTF-8 are kept as halves of
surrogate pairs (PEP 383). `bytes_of`, `files.write` and the operating system turn them back into
the same bytes, and the messages between the hosts carry them. "\r" and other characters have no
special meaning: only "\n" ends a line (`lines_of`). Every read has a size limit, and no read waits.

No other module decodes what comes from outside (ci/rules/foreign_text.py).
"""

import errno
import os
from pathlib import Path

from pgpool_recovery.domain.line import lines_of

MAX_BYTES = 16 * 2**20
"""More than any file that we read as text: mountinfo has some hundred bytes for each mount."""
READ_BYTES = 1 << 20


def text_of(data: bytes) -> str:
    r"""Return bytes as a text that `bytes_of` turns back into them.

    >>> text_of(b"r\xe9plica"), bytes_of(text_of(b"r\xe9plica"))
    ('r\udce9plica', b'r\xe9plica')
    """
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the bytes that `text_of` turned into a text."""
    return text.encode("utf-8", "surrogateescape")


def read_bytes(path: Path, limit_bytes: int = MAX_BYTES) -> bytes:
    """Return the contents of a file; raise OSError, also if it is longer than the limit.

    The read does not wait if the file is a FIFO.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return read_opened(descriptor, path, limit_bytes)
    finally:
        os.close(descriptor)


def read_end(path: Path, limit_bytes: int) -> str:
    """Return the last bytes of a file as a text, however long it is; raise OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        begin = max(0, os.fstat(descriptor).st_size - limit_bytes)
        return text_of(os.pread(descriptor, limit_bytes, begin))
    finally:
        os.close(descriptor)


def read_opened(descriptor: int, path: Path, limit_bytes: int = MAX_BYTES) -> bytes:
    """Return the contents of a file that is already open; raise OSError as `read_bytes` does."""
    parts, size = list[bytes](), 0
    while part := os.read(descriptor, READ_BYTES):
        parts.append(part)
        size += len(part)
        if size > limit_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return b"".join(parts)


def read_text(path: Path, limit_bytes: int = MAX_BYTES) -> str:
    """Return the text of a file; raise OSError, also if it is longer than the limit."""
    return text_of(read_bytes(path, limit_bytes))


def read_lines(path: Path, limit_bytes: int = MAX_BYTES) -> list[str]:
    """Return the lines of a file; raise OSError, also if it is longer than the limit."""
    return lines_of(read_text(path, limit_bytes))


__all__ = [
    "MAX_BYTES",
    "bytes_of",
    "lines_of",
    "read_bytes",
    "read_end",
    "read_lines",
    "read_opened",
    "read_text",
    "text_of",
]
