"""The end of what a program writes to its standard error, however much that is.

It is ssh's, or the agent's by way of ssh: another host's words. In a file they could fill the disk
of the primary, and in a pipe that nobody reads they would stop the program.
"""

import os
import threading
from contextlib import suppress

from pgpool_recovery.files.text import text_of

READ_BYTES = 65536
KEPT_BYTES = 4096
WAIT_S = 0.5
"""A master connection of ssh, which outlives the program, may keep the pipe open."""


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
        """Begin to read, once the program has been started, or could not be."""
        os.close(self._write_end)
        self._reader.start()

    def text(self) -> str:
        """Return the end of what it has written, all of it when the program has ended."""
        self._reader.join(WAIT_S)
        return text_of(self._kept).strip()

    def _read(self) -> None:
        with suppress(OSError):
            while data := os.read(self._read_end, READ_BYTES):
                self._kept = (self._kept + data)[-KEPT_BYTES:]
        os.close(self._read_end)
