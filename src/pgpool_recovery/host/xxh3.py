"""Compute keyed XXH3 digests of 128 bits with this host's libxxhash, if it is installed (xxhash.h).

apt, rsync and gcc use that library, so most hosts have it. A digest of 8 kB takes about
1 µs; by SHA-256 it takes 4 µs or more, even with the processor's own instructions for it.

A digest is two hashes of 64 bits, each with a key of its own. One of 128 bits would be as good by
chance, but not if somebody has prepared the data: both of its halves are made from the same sums
of products of 32 bits, and two blocks can be made that have the same sums with one of 2**33 keys
(test_blocks_that_are_prepared_for_one_key).
"""

import ctypes
from array import array
from collections.abc import Iterator
from functools import cache
from itertools import repeat
from typing import Any

LIBRARY = "libxxhash.so.0"
KEY_BYTES = 192
"""The length of the library's own key (XXH_SECRET_DEFAULT_SIZE); it takes no less than 136."""
KEYS = 2
SECRET_BYTES = KEYS * KEY_BYTES
CHECK_INPUT, CHECK_KEY = bytes(range(256)) * 8, bytes(range(KEY_BYTES))
CHECK_VALUE = 0x948817DE37EF1623
"""The hash of this input with this key. Before version 0.8.0 the library computes another."""


@cache
def _function() -> Any:
    """Return XXH3_64bits_withSecret; None if the library is missing or computes something else.

    A call keeps the interpreter's lock (PyDLL): it takes less time than giving up the lock and
    getting it again, which may mean waiting for another thread.
    """
    try:
        function = ctypes.PyDLL(LIBRARY).XXH3_64bits_withSecret
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_uint64
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    computed = function(CHECK_INPUT, len(CHECK_INPUT), CHECK_KEY, KEY_BYTES)
    return function if computed == CHECK_VALUE else None


def is_available() -> bool:
    """Return whether this host has the library."""
    return _function() is not None


class Xxh3:
    """Digests that depend on a secret of SECRET_BYTES random bytes; any thread may ask for some.

    Raises LookupError without the library, and ValueError for a secret of another length.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the secret has {len(secret)} bytes")
        self._function = _function()
        if self._function is None:
            raise LookupError(LIBRARY)
        self._keys = [secret[at : at + KEY_BYTES] for at in range(0, SECRET_BYTES, KEY_BYTES)]

    def digests_of(self, data: bytes | memoryview, block_bytes: int) -> bytes:
        """Return the digests of all blocks, one after the other; the last block may be shorter.

        They have the byte order of this host's memory, as the data of its server has.
        """
        if not data:
            return b""
        if isinstance(data, memoryview) and data.readonly:
            data = bytes(data)  # ctypes gives no address of other memory that is read-only.
        begin, blocks = _address_of(data), -(-len(data) // block_bytes)
        found = array("Q", bytes(8 * KEYS * blocks))
        for half, key in enumerate(self._keys):
            found[half::KEYS] = array("Q", self._hashes(key, begin, len(data), block_bytes))
        return found.tobytes()

    def _hashes(self, key: bytes, begin: int, size_bytes: int, block_bytes: int) -> Iterator[int]:
        """Return an iterator that runs no Python code of ours for each block."""
        end = begin + size_bytes
        whole = size_bytes // block_bytes
        sizes = [block_bytes] * whole
        if size_bytes % block_bytes:
            sizes.append(size_bytes % block_bytes)
        return map(
            self._function,
            range(begin, end, block_bytes),
            sizes,
            repeat(key),
            repeat(KEY_BYTES),
        )


def _address_of(data: bytes | memoryview) -> int:
    """Return where data is in memory, as long as the caller keeps it there."""
    if isinstance(data, bytes):
        return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
    return ctypes.addressof(ctypes.c_char.from_buffer(data))
