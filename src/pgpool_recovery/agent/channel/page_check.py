"""Check the checksums of the pages that are sent, as the server does in a base backup."""

from pgpool_recovery.agent.method.page import is_sound
from pgpool_recovery.agent.method.relation_file import parse_path
from pgpool_recovery.blocks.send import CheckPages
from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.blocks import OpenChannel

TRIES, BETWEEN_S = 5, 0.01
"""A page that is being written is read torn for an instant only."""


def page_checker(request: OpenChannel, files: SourceFiles, stop: Stop) -> CheckPages | None:
    """Return what checks pages before they are sent; None if they have no checksums.

    A page that was read while it was being written may have a wrong checksum, and may be sent: the
    WAL of the backup has an image of it. So it is read again, and only a page that stays wrong
    raises Undone.
    """
    start, form = request.target.check_pages_from, request.source.format
    if start is None or not form.has_checksums:
        return None

    def check_pages(path: str, first: int, blocks: memoryview) -> None:
        file = parse_path(path)
        if file is None:
            return
        size = form.block_bytes
        for at in range(0, len(blocks) - size + 1, size):
            number = first + at // size
            page: memoryview | bytes = blocks[at : at + size]
            for _ in range(TRIES):
                if len(page) < size or is_sound(
                    page, file.number * form.segment_blocks + number, start
                ):
                    break
                stop.wait(BETWEEN_S)
                page = files.reread(path, number * size, size)
            else:
                raise Undone(
                    f'block {file.number * form.segment_blocks + number} of "{path}" has a wrong '
                    "checksum on the source",
                    hint="Run pg_checksums or pg_amcheck there, and check its disk and memory.",
                )

    return check_pages
