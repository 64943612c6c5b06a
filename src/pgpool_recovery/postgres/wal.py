"""Read which WAL the primary has, and make a slot retain more of it."""

import select
import struct
import time
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.wal import (
    History,
    Lsn,
    Point,
    TimelineId,
    file_of_segment,
    lsn_text,
    parse_history,
    parse_lsn,
)
from pgpool_recovery.facts.facts import Wal
from pgpool_recovery.facts.own_wal import covering, last_segment
from pgpool_recovery.postgres.connection import Connection, error_message, open_replication

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

REPLY_S = 10.0
TICK_S = 0.1
SILENT = "the primary's WAL sender does not answer"


def read_wal(connection: Connection) -> Wal:
    """Return the primary's timeline and WAL position, and the oldest WAL that it still has."""
    row = connection.row("timeline")
    history = parse_history(row["history"], TimelineId(row["timeline"]))
    files = {found["name"] for found in connection.rows("wal_files")}
    written, segment_bytes = parse_lsn(row["written"]), row["wal_segment_bytes"]
    return Wal(
        history=history,
        written=written,
        segment_bytes=segment_bytes,
        oldest_segment=oldest_without_gap(files, history, written, segment_bytes),
        full_page_writes=row["full_page_writes"],
        is_summarized=row["summarizes_wal"],
    )


def oldest_without_gap(
    files: Container[str], history: History, written: Lsn, segment_bytes: int
) -> int:
    """Return the number of the oldest segment from which on the primary has all of its own WAL.

    It may have older files and lack some after them. A former standby keeps a file of the timeline
    before that it has yet to archive, and removes the later ones, which it need not.
    """
    number = last_segment(Point(history.current, written), segment_bytes)
    while number > 0:
        timeline = covering(number - 1, history, segment_bytes)
        if file_of_segment(timeline, number - 1, segment_bytes) not in files:
            break
        number -= 1
    return number


def hold_wal(
    conninfo: Mapping[str, str], slot_name: str, point: Point, *, connect_s: float
) -> None:
    """Make a physical slot retain the WAL since a position before its own.

    We stream from that position and report it as flushed, like a standby that has come only that
    far; the WAL sender sets the slot to what is reported (PhysicalConfirmReceivedLocation in
    src/backend/replication/walsender.c). Raises Unreachable with the server's message, for example
    when that WAL has been removed.
    """
    from psycopg import pq

    try:
        connection = open_replication(conninfo, within_s=connect_s, check=lambda: None)
    except Unreachable as error:
        raise _unheld(slot_name, error.detail or error.message) from error
    try:
        where = f"{lsn_text(point.lsn)} TIMELINE {point.timeline}"
        connection.send_query(f'START_REPLICATION SLOT "{slot_name}" PHYSICAL {where}'.encode())
        answer = _await_answer(connection)
        if answer is None or answer.status != pq.ExecStatus.COPY_BOTH:
            raise _unheld(slot_name, error_message(connection))
        # Written, flushed and applied up to that position; a reply is requested.
        connection.put_copy_data(struct.pack(">cQQQQB", b"r", *[point.lsn] * 3, 0, 1))
        connection.flush()
        _await_reply(connection, slot_name)
    finally:
        connection.finish()


def _await_answer(connection: "PGconn") -> "PGresult | None":
    deadline = time.monotonic() + REPLY_S
    while connection.is_busy():
        if time.monotonic() > deadline:
            raise Unreachable(SILENT)
        select.select([connection.socket], [], [], TICK_S)
        connection.consume_input()
    return connection.get_result()


def _await_reply(connection: "PGconn", slot_name: str) -> None:
    """Wait for the reply that was requested: the WAL sender sends it after reading our report.

    If the WAL has been removed, it starts to stream before it notices, and then ends.
    """
    deadline = time.monotonic() + REPLY_S
    while time.monotonic() < deadline:
        size, data = connection.get_copy_data(1)
        if size > 0 and bytes(data[:1]) == b"k":
            return
        if size < 0:
            connection.get_result()
            raise _unheld(slot_name, error_message(connection))
        if size == 0:
            select.select([connection.socket], [], [], TICK_S)
            connection.consume_input()
    raise Unreachable(SILENT)


def _unheld(slot_name: str, why: str) -> Unreachable:
    return Unreachable(f"replication slot {slot_name} could not retain the WAL", detail=why)
