"""Hash blocks, find those that differ, and hash what was sent for a file."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from struct import unpack

from pgpool_recovery.blocks.frame import DIGEST_BYTES, BlockRun
from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.host.xxh3 import Xxh3

DigestsOf = Callable[[bytes | memoryview, int], bytes]
"""Takes blocks and the size of one, and returns the digests of all, one after the other.

A digest has DIGEST_BYTES, and the last block may be shorter.
"""


def sha256_digests_of(data: bytes | memoryview, block_bytes: int) -> bytes:
    """Return the first halves of the SHA-256 of all blocks.

    That two different blocks have the same one does not happen: 2**64 blocks would be needed for a
    likely case.
    """
    view = memoryview(data)
    sized = range(0, len(view), block_bytes)
    return b"".join([sha256(view[at : at + block_bytes]).digest()[:DIGEST_BYTES] for at in sized])


def digests_with(secret: str | None) -> DigestsOf:
    """Return what computes XXH3 of 128 bits with this secret, or SHA-256 if there is none.

    XXH3 is not a cryptographic hash: whoever knows the secret can make two different blocks with
    the same digest. So the secret is random, new in each run, in hexadecimal digits, and known only
    to the runner and the two ends of its channels. Whoever writes to the data, as each client of
    the server does, does so without knowing it. Two blocks that are prepared then have the same
    digest once in 2**66 times by the best way known (host/xxh3.py), and others once in 2**128.

    Raises LookupError if this host lacks the library, and ValueError for any other secret.
    """
    return sha256_digests_of if secret is None else Xxh3(bytes.fromhex(secret)).digests_of


def zero_digest_of(digests_of: DigestsOf, block_bytes: int) -> bytes:
    """Return the digest of a block of zeros."""
    return digests_of(bytes(block_bytes), block_bytes)


def differing(ours: bytes, theirs: bytes, zero: bytes) -> Iterator[BlockRun]:
    """Yield the runs of blocks whose digests differ, or that only we have.

    >>> a, b, z = b"a" * 16, b"b" * 16, b"z" * 16
    >>> list(differing(a + b + b + a + z, a + a + a + a, z))
    [BlockRun(first=1, blocks=2, is_zero=False), BlockRun(first=4, blocks=1, is_zero=True)]
    """
    first, count, is_zero = 0, 0, False
    for number, digest in _differing(ours, theirs):
        if count and number == first + count and is_zero == (digest == zero):
            count += 1
            continue
        if count:
            yield BlockRun(first, count, is_zero)
        first, count, is_zero = number, 1, digest == zero
    if count:
        yield BlockRun(first, count, is_zero)


def _differing(ours: bytes, theirs: bytes) -> list[tuple[int, bytes]]:
    """Return the number and our digest of each block that they have not, or have another of."""
    mine, others = _single(ours), _single(theirs)
    both = zip(mine, others, strict=False)
    found = [(number, digest) for number, (digest, other) in enumerate(both) if digest != other]
    return found + list(enumerate(mine))[len(others) :]


def _single(digests: bytes) -> tuple[bytes, ...]:
    return unpack(f"{DIGEST_BYTES}s" * (len(digests) // DIGEST_BYTES), digests)


class SentDigest:
    """The digest of what was sent for a file: both ends compute it, and the sender's is sent.

    So a file is reported as written only if each block of it arrived where it belongs. It is the
    SHA-256 of the blocks' digests, of whichever kind they are.
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
