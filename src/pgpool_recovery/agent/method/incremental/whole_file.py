"""Write a file that was sent whole over the old one."""

import os

from pgpool_recovery.agent.method.received_page import CheckPage, ReceivedPages
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
        self._pages = None if check_page is None else ReceivedPages(block_bytes, check_page)
        self._written_bytes = 0

    def write(self, data: memoryview) -> None:
        """Take the next piece."""
        if self._pages is not None:
            self._pages.take(data)
        write_all_at(self._descriptor, data, self._written_bytes)
        self._written_bytes += len(data)

    def close(self) -> None:
        """Cut off what the old file had beyond the new one."""
        os.ftruncate(self._descriptor, self._written_bytes)
        os.close(self._descriptor)
