"""Hash blocks, find those that differ, and hash what was sent for a file."""

from collections.abc import Iterator
from hashlib import sha256

from pgpool_recovery.blocks.frame import DIGEST_BYTES, BlockRun
from pgpool_recovery.files.text import bytes_of


def digests_of(data: memoryview, block_bytes: int) -> bytes:
    """Return the digests of all blocks, one after the other; the last block may be shorter.

    A digest is the first half of the SHA-256 of the block. That two different blocks have the same
    one does not happen: 2**64 blocks would be needed for a likely case, and an attacker who finds
    one could as well write to the block.
    """
    sized = range(0, len(data), block_bytes)
    return b"".join([sha256(data[at : at + block_bytes]).digest()[:DIGEST_BYTES] for at in sized])


def zero_digest_of(block_bytes: int) -> bytes:
    """Return the digest of a block of zeros."""
    return digests_of(memoryview(bytes(block_bytes)), block_bytes)


def differing(ours: bytes, theirs: bytes, zero: bytes) -> Iterator[BlockRun]:
    """Yield the runs of blocks whose digests differ, or that only we have.

    >>> a, b, z = b"a" * 16, b"b" * 16, b"z" * 16
    >>> list(differing(a + b + b + a + z, a + a + a + a, z))
    [BlockRun(first=1, blocks=2, is_zero=False), BlockRun(first=4, blocks=1, is_zero=True)]
    """
    first, count, is_zero = 0, 0, False
    for number in range(len(ours) // DIGEST_BYTES):
        at = slice(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES)
        digest = ours[at]
        differs = digest != theirs[at]
        if differs and count and is_zero == (digest == zero):
            count += 1
            continue
        if count:
            yield BlockRun(first, count, is_zero)
            count = 0
        if differs:
            first, count, is_zero = number, 1, digest == zero
    if count:
        yield BlockRun(first, count, is_zero)


class SentDigest:
    """The digest of what was sent for a file: both ends compute it, and the sender's is sent.

    So a file is reported as written only if each block of it arrived where it belongs.
    """

    def __init__(self, path: str) -> None:
        self._hash = sha256(bytes_of(path) + b"\0")

    def add(self, first: int, runs: tuple[BlockRun, ...], digests: bytes) -> None:
        """Add runs of a chunk, and the digests of their blocks, without those of zeros."""
        numbers = [str(number) for run in runs for number in run]
        self._hash.update(f"{first}:{','.join(numbers)}:".encode())
        self._hash.update(digests)

    def of(self, size_bytes: int) -> bytes:
        """Return the digest for a file of this length."""
        ended = self._hash.copy()
        ended.update(f"end:{size_bytes}".encode())
        return ended.digest()
