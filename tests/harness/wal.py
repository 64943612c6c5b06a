"""The WAL that a stopped node would request from its primary: find it, or make it go."""

from .postgresql import Server
from .psql import quoted
from .until import until

_CHECKPOINT_WITHIN_S = 120

# Whatever timeline the names begin with. One byte on: at a border, majors differ in which of the
# two segments pg_walfile_name names.
_HAS_SEGMENT = """
SELECT count(*) > 0 FROM pg_ls_waldir()
 WHERE name ~ '^[0-9A-F]{{24}}$' AND substr(name, 9) = substr(pg_walfile_name({lsn}::pg_lsn + 1), 9)
"""
_LET_GO = """
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active;
SELECT pg_logical_emit_message(false, 'harness', 'not at the start of a segment');
SELECT pg_switch_wal();
CHECKPOINT;
"""


def end_of(node: Server) -> str:
    """Return the LSN where a stopped node ends, according to its pg_control."""
    data = node.controldata()
    checkpoint, minimum = (
        data[key] for key in ("Latest checkpoint location", "Minimum recovery ending location")
    )
    return max(checkpoint, minimum, key=_number)


def redo_of(node: Server) -> str:
    """Return the LSN from which a stopped node will replay."""
    return node.controldata()["Latest checkpoint's REDO location"]


def has_segment(primary: Server, lsn: str) -> bool:
    """Return whether the segment with an LSN is in the primary's pg_wal."""
    return primary.sql(_HAS_SEGMENT.format(lsn=quoted(lsn))) == [("t",)]


def has_wal_for(primary: Server, node: Server) -> bool:
    """Return whether the primary has the segment in which a stopped node ends.

    That is the first one the node requests. It replays from its REDO point, but up to that segment
    from the WAL in its own directory (test_a_standby_follows_without_the_segment_of_its_redo).
    """
    return has_segment(primary, end_of(node))


def remove_wal_for(primary: Server, node: Server) -> None:
    """Write WAL until a checkpoint has removed what a stopped node would request.

    All inactive slots are dropped, and `wal_keep_size` becomes 0.
    """
    remove_wal(primary, end_of(node))


def remove_wal(primary: Server, lsn: str) -> None:
    """Write WAL until a checkpoint has removed the segment with an LSN."""
    primary.set(wal_keep_size="0")

    def gone() -> bool:
        primary.execute(_LET_GO)
        return not has_segment(primary, lsn)

    what = f"{primary.name} to have no more WAL from {lsn} on"
    until(gone, within_s=_CHECKPOINT_WITHIN_S, what=what)


def summarize(primary: Server, node: Server) -> None:
    """Wait until both have summarized the same WAL of this timeline.

    That proves later that the node is on the primary's history, when the WAL itself is gone.
    """
    query = (
        "SELECT tli, start_lsn, end_lsn FROM pg_available_wal_summaries() "
        "WHERE tli = (SELECT timeline_id FROM pg_control_checkpoint())"
    )

    def have_one_in_common() -> bool:
        primary.execute("CHECKPOINT")
        return bool(set(primary.sql(query)) & set(node.sql(query)))

    until(have_one_in_common, within_s=60, what="a WAL summary that both have")


def _number(lsn: str) -> int:
    high, _, low = lsn.partition("/")
    return int(high, 16) << 32 | int(low, 16)
