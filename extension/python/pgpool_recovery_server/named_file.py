"""Read a file whose path an SQL caller gives, without waiting for it and up to a limit."""

import os
import stat
from typing import Optional


def read_file(path: str, limit: int) -> Optional[bytes]:
    """Return the first bytes of a regular file, or None when there is none that can be read.

    Opening a FIFO would wait for a writer, without heeding interrupts of the server, and some
    devices do something when they are opened. So only a regular file is opened. If it has become
    something else in the meantime, it is not waited for, and a link is not followed.
    """
    name = path.encode("utf-8", "surrogateescape")
    try:
        if not stat.S_ISREG(os.lstat(name).st_mode):
            return None
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None  # ValueError: a zero byte, which no path contains.
    try:
        is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, limit) if is_regular else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
