"""Verify the checksums of the pages that a rewind has changed."""

from pathlib import Path

from pgpool_recovery.agent.method.guarded.tablespace import linked_tablespaces
from pgpool_recovery.agent.method.incremental.stale_directory import read_stale_directory
from pgpool_recovery.agent.method.received_page import CheckPage, page_check
from pgpool_recovery.agent.method.relation_file import (
    RelationFile,
    parse_path,
    vouched_paths,
)
from pgpool_recovery.domain.event import Emit
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.stop import Stop


def verify_pages(
    directory: Path, bin_directory: Path, since_ns: int, stop: Stop, emit: Emit
) -> int | None:
    """Check all pages of the relation files written since `since_ns`; return how many there are.

    `since_ns` is a time of that filesystem, in nanoseconds. Returns None when there are no data
    checksums. Visibility and free space maps are left out: replay repairs them, or they are not in
    WAL at all. Raises Undone with the first page that has a wrong checksum.
    """
    found = read_stale_directory(directory, bin_directory, stop)
    if not found.has_checksums:
        return None
    pages, changed, total_bytes = 0, list[tuple[str, RelationFile]](), 0
    for path in vouched_paths(directory, linked_tablespaces(directory), found.version_directory):
        stop.got_on()
        name, status = parse_path(path), (directory / path).stat()
        if name is not None and status.st_mtime_ns >= since_ns:
            changed.append((path, name))
            total_bytes += status.st_size
    meter = Meter(emit, total_bytes)
    for path, name in changed:
        check = page_check(path, name, found.segment_blocks, found.base.redo.lsn)
        pages += _verify(directory / path, found.block_bytes, check, stop, meter)
    return pages


def _verify(file: Path, block_bytes: int, check: CheckPage, stop: Stop, meter: Meter) -> int:
    """Check the pages of a file; replay completes a page that is cut short at its end."""
    block = 0
    with file.open("rb") as pages:
        while len(page := pages.read(block_bytes)) == block_bytes:
            stop.check()
            check(memoryview(page), block)
            block += 1
            meter.add(block_bytes)
    return block
