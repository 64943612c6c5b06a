"""Check the checksums of the pages that are received, of a whole file or of parts of it."""

from collections.abc import Callable

from pgpool_recovery.agent.method.page import is_sound
from pgpool_recovery.agent.method.relation_file import RelationFile
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import Lsn

CheckPage = Callable[[memoryview, int], None]
"""Takes a page and its block number within the file; raises Undone if its checksum is wrong."""


def page_check(path: str, file: RelationFile, segment_blocks: int, start: Lsn) -> CheckPage:
    """Return a function that raises Undone for a page of a file with a wrong checksum.

    `start` is where replay will begin.
    """
    first = file.number * segment_blocks

    def check_page(page: memoryview, block: int) -> None:
        if not is_sound(page, first + block, start):
            raise Undone(
                f'block {first + block} of "{path}" came with a wrong checksum',
                hint="Check the network and the memory of both hosts, and run pg_checksums or "
                "pg_amcheck on the primary.",
            )

    return check_page


class ReceivedPages:
    """Checks the pages of a file that is received in pieces, whatever their sizes."""

    def __init__(self, block_bytes: int, check_page: CheckPage) -> None:
        self._block_bytes = block_bytes
        self._check_page = check_page
        self._rest = b""
        self._block = 0

    def take(self, data: bytes | memoryview) -> None:
        """Check the pages that are complete by now; the server does not check others either."""
        pages, size = memoryview(b"".join((self._rest, data))), self._block_bytes
        for at in range(0, len(pages) - size + 1, size):
            self._check_page(pages[at : at + size], self._block)
            self._block += 1
        self._rest = bytes(pages[len(pages) // size * size :])
