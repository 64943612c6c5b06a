"""Hand-made base backups as a primary would send them, and a connection that sends them."""

import io
import struct
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence

from pgpool_recovery.agent.method.incremental.changed_blocks import MAGIC, header_bytes
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId

BLOCK_BYTES = 512
SEGMENT_BLOCKS = 16
END = Point(TimelineId(1), Lsn(0x5000100))

DIRECTORY = None
"""The content that marks a directory among the members of an archive."""


def archive(members: Mapping[str, bytes | None]) -> bytes:
    """Return an archive with these members in this order; a link's content begins with an arrow."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if content is DIRECTORY:
                info.type = tarfile.DIRTYPE
            elif content.startswith(b"->"):
                info.type, info.linkname = tarfile.SYMTYPE, content[2:].decode()
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content or b"") if info.isreg() else None)
    # A server ends an archive with two headers of zeros, and does not fill up to a record.
    text = buffer.getvalue().rstrip(b"\0")
    return text + b"\0" * (-len(text) % 512) + b"\0" * 1024


def changed(blocks: Mapping[int, bytes], truncation_blocks: int, magic: int = MAGIC) -> bytes:
    """Return a file of changed blocks."""
    header = struct.pack(f"=III{len(blocks)}I", magic, len(blocks), truncation_blocks, *blocks)
    padded = header.ljust(header_bytes(len(blocks), BLOCK_BYTES), b"\0")
    return padded + b"".join(blocks.values())


def block(mark: str) -> bytes:
    """Return a block filled with one letter."""
    return mark.encode() * BLOCK_BYTES


def messages(
    archives: Mapping[str, Mapping[str, bytes | None]], piece_bytes: int = 700
) -> list[bytes]:
    """Return the messages that carry these archives, in pieces of an odd size."""
    sent = []
    for name, members in archives.items():
        data = archive(members)
        sent.append(b"n" + name.encode() + b"\0/somewhere\0")
        pieces = range(0, len(data), piece_bytes)
        sent += [b"d" + data[at : at + piece_bytes] for at in pieces]
        sent.append(b"p" + struct.pack("!q", len(data)))
    return sent


class ScriptedConnection:
    """A fake of a connection on which a backup has begun; `before_message` may raise."""

    def __init__(
        self,
        sent: Sequence[bytes],
        before_message: Callable[[int], None] = lambda _: None,
        end: Point = END,
    ) -> None:
        self._sent = sent
        self._before_message = before_message
        self._end = end
        self.is_closed = False

    def messages(self) -> Iterator[memoryview]:
        for number, message in enumerate(self._sent):
            self._before_message(number)
            yield memoryview(message)

    def finish(self) -> Point:
        self._before_message(len(self._sent))
        return self._end

    def close(self) -> None:
        self.is_closed = True
