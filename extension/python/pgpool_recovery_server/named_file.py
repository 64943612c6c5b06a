"""Read a file whose path a caller of SQL names: never wait for it, never much of it."""

import os
import stat
from typing import Optional


def read_file(path: str, limit: int) -> Optional[bytes]:
    """Return the first bytes of a regular file, or None when there is none to be read.

    A FIFO would be waited for as long as nobody writes to it, where no interrupt of the server is
    heeded; some devices do something when they are opened. So what is no regular file is not
    opened, what has become one meanwhile is not waited for, and a link is not followed.
    """
    name = path.encode("utf-8", "surrogateescape")
    try:
        if not stat.S_ISREG(os.lstat(name).st_mode):
            return None
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None  # ValueError: a zero byte, which no path has.
    try:
        is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, limit) if is_regular else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
