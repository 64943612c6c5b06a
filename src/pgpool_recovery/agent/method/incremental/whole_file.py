"""Write a file that was sent whole over the old one."""

import os

from pgpool_recovery.agent.method.incremental.changed_blocks import CheckPage
from pgpool_recovery.files.write import write_all_at


class WholeFile:
    """Takes a file in pieces (`Sink`).

    An old file is overwritten from its beginning and truncated at the end; it is not emptied first.
    If this run is interrupted and the next one is sent only changed blocks of the file, the others
    must still be there.
    """

    def __init__(
        self, descriptor: int, *, block_bytes: int, check_page: CheckPage | None = None
    ) -> None:
        self._descriptor = descriptor
        self._block_bytes = block_bytes
        self._check_page = check_page
        self._unchecked = bytearray()
        self._checked_blocks = 0
        self._written_bytes = 0

    def write(self, data: memoryview) -> None:
        """Take the next piece."""
        if self._check_page is not None:
            self._check(self._check_page, data)
        write_all_at(self._descriptor, data, self._written_bytes)
        self._written_bytes += len(data)

    def close(self) -> None:
        """Cut off what the old file had beyond the new one."""
        os.ftruncate(self._descriptor, self._written_bytes)
        os.close(self._descriptor)

    def _check(self, check_page: CheckPage, data: memoryview) -> None:
        """Check all pages that are complete by now; the server does not check others either."""
        self._unchecked += data
        size = self._block_bytes
        pages = memoryview(bytes(self._unchecked))
        for at in range(0, len(pages) - size + 1, size):
            check_page(pages[at : at + size], self._checked_blocks)
            self._checked_blocks += 1
        del self._unchecked[: len(pages) // size * size]
