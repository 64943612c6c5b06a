"""Compute CRC-32C with a library of this host, if it has one; Python itself has no such function.

libext2fs belongs to the tools of ext4, so most hosts have it (ext2fs.h). It computes about as fast
as SHA-256 is computed here with the processor's own instructions. But a PostgreSQL server computes
CRC-32C ten times as fast as SHA-256, which would take longer than reading the file.
"""

import ctypes
from functools import cache

LIBRARY = "libext2fs.so.2"
START = 0xFFFFFFFF
CHECK_INPUT, CHECK_VALUE = b"123456789", 0xE3069283  # The check value of CRC-32C.


@cache
def _library() -> ctypes.CDLL | None:
    """Load the library once in a process; None if it is missing or computes something else."""
    try:
        library = ctypes.CDLL(LIBRARY)
        function = library.ext2fs_crc32c_le
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_uint32
    function.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
    computed = function(START, CHECK_INPUT, len(CHECK_INPUT)) ^ START
    return library if computed == CHECK_VALUE else None


def is_available() -> bool:
    """Return whether this host has the library."""
    return _library() is not None


class Crc32c:
    """A checksum that grows, used like those of hashlib. Raises LookupError without the library."""

    def __init__(self) -> None:
        library = _library()
        if library is None:
            raise LookupError(LIBRARY)
        self._function = library.ext2fs_crc32c_le
        self._sum = START

    def update(self, data: bytes) -> None:
        """Add the next piece."""
        self._sum = self._function(self._sum, data, len(data))

    def digest(self) -> bytes:
        """Return the checksum in the byte order that a manifest of this host's server has.

        A server writes it as it is in its memory (backup_manifest.c).
        """
        return int(self._sum ^ START).to_bytes(4, "little")
