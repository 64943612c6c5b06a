"""Read the bytes at the end of a server's WAL by SQL, from a standby or a primary."""

from pgpool_recovery.domain.wal import Lsn, TimelineId, file_of_segment, segment_number
from pgpool_recovery.domain.wal_page import WalPage, page_begin, shutdown_at_the_end
from pgpool_recovery.postgres.connection import Connection


def wal_page(
    connection: Connection, timeline: TimelineId, end: Lsn, page_bytes: int, segment_bytes: int
) -> WalPage | None:
    """Return the page that contains the last byte before a position, up to that position.

    None when the server does not have it. Raises QueryRefused when the role may not read files
    (pg_read_server_files).
    """
    if end <= 0:
        return None
    begin = page_begin(end, page_bytes)
    name = file_of_segment(timeline, segment_number(begin, segment_bytes), segment_bytes)
    row = connection.row("wal_piece", name=name, offset=begin % segment_bytes, length=end - begin)
    contents = row["contents"]
    if contents is None or len(contents) != end - begin:
        return None
    return WalPage(begin, bytes(contents), segment_bytes)


def shutdown_position(
    connection: Connection, timeline: TimelineId, end: Lsn, page_bytes: int, segment_bytes: int
) -> Lsn | None:
    """Return where the shutdown checkpoint begins if it is the last record before a position.

    None when the last record is another one, or the WAL is not there.
    """
    last = wal_page(connection, timeline, end, page_bytes, segment_bytes)
    if last is None:
        return None
    before = wal_page(connection, timeline, last.begin, page_bytes, segment_bytes)
    return shutdown_at_the_end(before, last)
