"""Keep the end of what a program writes to its standard error, however much that is.

The program is ssh, which also passes on the standard error of the agent. Another host decides how
much that is: in a file it could fill the primary's disk, and a pipe that is not read would block
the program.
"""

import os
import threading
from contextlib import suppress

from pgpool_recovery.files.text import text_of

READ_BYTES = 65536
KEPT_BYTES = 4096
WAIT_S = 0.5
"""A master connection of ssh outlives the program and may keep the pipe open."""


class ErrorTail:
    """A pipe for a program's standard error, and a thread that keeps the last bytes of it."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        self._kept = b""
        self._reader = threading.Thread(target=self._read, daemon=True)

    def fileno(self) -> int:
        """Return the descriptor that the program writes to."""
        return self._write_end

    def follow(self) -> None:
        """Start reading, after the program has been started or failed to start."""
        os.close(self._write_end)
        self._reader.start()

    def text(self) -> str:
        """Return the end of the output so far; when the program has ended, of its whole output."""
        self._reader.join(WAIT_S)
        return text_of(self._kept).strip()

    def _read(self) -> None:
        with suppress(OSError):
            while data := os.read(self._read_end, READ_BYTES):
                self._kept = (self._kept + data)[-KEPT_BYTES:]
        os.close(self._read_end)
