"""Compress and decompress with this host's libzstd, if it is installed (zstd.h).

PostgreSQL's programs and rsync use that library, so most hosts have it. It is called with ctypes,
because runtime dependencies are pure Python; ctypes releases the interpreter's lock meanwhile.
"""

import ctypes
import weakref
from collections.abc import Iterator
from functools import cache

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.files.text import text_of

LIBRARY = "libzstd.so.1"
PIECE_BYTES = 2**18
WINDOW_LOG_MAX = 25
"""A frame may need a window of at most 32 MB in memory; up to level 19 it needs 8 MB."""

WINDOW_LOG_PARAMETER = 100  # ZSTD_d_windowLogMax
UNKNOWN_SIZE = 2**64 - 1  # ZSTD_CONTENTSIZE_UNKNOWN
NO_FRAME = 2**64 - 2  # ZSTD_CONTENTSIZE_ERROR
NOT_INSTALLED = "the library zstd is not installed"
MALFORMED = "compressed data is malformed"


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("position", ctypes.c_size_t),
    )


@cache
def _library() -> ctypes.CDLL | None:
    """Load the library once in a process; None if this host does not have it."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    size, data, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    content_bytes = ctypes.c_ulonglong
    buffer = ctypes.POINTER(_Buffer)
    for name, result, arguments in (
        ("ZSTD_isError", ctypes.c_uint, [size]),
        ("ZSTD_getErrorName", ctypes.c_char_p, [size]),
        ("ZSTD_compressBound", size, [size]),
        ("ZSTD_compress", size, [data, size, ctypes.c_char_p, size, number]),
        ("ZSTD_getFrameContentSize", content_bytes, [ctypes.c_char_p, size]),
        ("ZSTD_decompress", size, [data, size, ctypes.c_char_p, size]),
        ("ZSTD_createDCtx", data, []),
        ("ZSTD_freeDCtx", size, [data]),
        ("ZSTD_DCtx_setParameter", size, [data, number, number]),
        ("ZSTD_decompressStream", size, [data, buffer, buffer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def is_available() -> bool:
    """Return whether this host has the library."""
    return _library() is not None


def _loaded() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise Undone(
            NOT_INSTALLED,
            detail=f"{LIBRARY} could not be loaded.",
            hint='Install it (libzstd1 on Debian, libzstd on RHEL), or set compress = "none".',
        )
    return library


def compress(data: bytes, level: int) -> bytes:
    """Return the data as one frame, which records its size; raise Undone without the library."""
    library = _loaded()
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(len(data)))
    size = library.ZSTD_compress(room, len(room), data, len(data), level)
    _check(library, size)
    return memoryview(room)[:size].tobytes()


def decompress(data: bytes, max_bytes: int) -> bytes:
    """Return the contents of one whole frame, at most `max_bytes`.

    Raises Undone if the data is anything else, and without the library.
    """
    library = _loaded()
    content_bytes = library.ZSTD_getFrameContentSize(data, len(data))
    if content_bytes == NO_FRAME:
        raise Undone(MALFORMED, detail="It does not begin with a frame of zstd.")
    if content_bytes == UNKNOWN_SIZE:
        content_bytes = max_bytes
    if content_bytes > max_bytes:
        raise Undone(MALFORMED, detail=f"It is said to have {content_bytes} bytes.")
    room = ctypes.create_string_buffer(max(content_bytes, 1))
    size = library.ZSTD_decompress(room, content_bytes, data, len(data))
    _check(library, size)
    return memoryview(room)[:size].tobytes()


class Decompressor:
    """Takes one frame in pieces of any size, and returns its contents in pieces of bounded size.

    `piece_bytes` is that bound. Whoever has fed everything calls `finish`. Not for use by two
    threads at the same time. Raises Undone for malformed data, and for data after the frame's end.
    """

    def __init__(self, piece_bytes: int = PIECE_BYTES) -> None:
        self._library = _loaded()
        context = self._library.ZSTD_createDCtx()
        if not context:
            raise MemoryError
        self._context = context
        self._free = weakref.finalize(self, self._library.ZSTD_freeDCtx, context)
        _check(
            self._library,
            self._library.ZSTD_DCtx_setParameter(context, WINDOW_LOG_PARAMETER, WINDOW_LOG_MAX),
        )
        self._room = ctypes.create_string_buffer(piece_bytes)
        self._contents = memoryview(self._room)
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        """Whether the end of the frame was reached."""
        return self._has_ended

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Yield what this piece adds to the contents; it must be consumed to the end."""
        given = bytes(data)
        source = _Buffer(ctypes.cast(ctypes.c_char_p(given), ctypes.c_void_p), len(given), 0)
        is_full = False
        while source.position < len(given) or is_full:
            if self._has_ended:
                raise Undone(MALFORMED, detail="There is data after its end.")
            target = _Buffer(ctypes.addressof(self._room), len(self._room), 0)
            hint = self._library.ZSTD_decompressStream(self._context, target, source)
            _check(self._library, hint)
            self._has_ended = hint == 0
            is_full = target.position == len(self._room) and not self._has_ended
            if target.position:
                yield self._contents[: target.position].tobytes()

    def finish(self) -> None:
        """Release the memory; raise Undone if the frame has not ended."""
        self._free()
        if not self._has_ended:
            raise Undone(MALFORMED, detail="It was cut off.")


def _check(library: ctypes.CDLL, code: int) -> None:
    if library.ZSTD_isError(code):
        reason = text_of(library.ZSTD_getErrorName(code))
        raise Undone(MALFORMED, detail=f"libzstd says: {reason}.")
