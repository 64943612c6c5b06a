"""Whether a slot may keep the WAL that a node needs: max_slot_wal_keep_size and its consequences.

A slot that is moved back beyond that limit is "unreserved", and the next checkpoint, including our
own, removes its WAL (InvalidateObsoleteReplicationSlots in src/backend/replication/slot.c).
"""

from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.facts.facts import TargetFacts, Wal
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.from_archive import Gap, gap_from
from pgpool_recovery.plan.situation import Situation


def exceeds_limit(situation: Situation, segment: int) -> bool:
    """Return whether a slot would lose the WAL from a segment on at the next checkpoint.

    Counted in whole segments, as in the server (KeepLogSeg in src/backend/access/transam/xlog.c).
    """
    limit, wal = situation.facts.primary.slot_limit_bytes, situation.wal
    if limit is None:
        return False
    return wal.written // wal.segment_bytes - segment > limit // wal.segment_bytes


def notes_on_limit(situation: Situation, segment: int) -> tuple[str, ...]:
    """Return a warning for a node that only needs WAL: it races against the next checkpoint."""
    if not exceeds_limit(situation, segment):
        return ()
    end = "so the primary's next checkpoint may remove WAL before the node has it"
    return (f"{_needed(situation, segment)}, {end}",)


def reject_limit(situation: Situation, segment: int) -> Rejection:
    """Return that the checkpoint before pg_rewind would remove WAL that is needed after it."""
    return Rejection(
        f"the primary's WAL that {situation.name} would need after a rewind is more than a slot "
        "may keep",
        detail=f"{_needed(situation, segment)}, and the checkpoint before pg_rewind removes the "
        "rest.",
        hint="Raise max_slot_wal_keep_size on the primary, reload it, and recover the node again.",
    )


def gap_before_start(target: TargetFacts, wal: Wal) -> Gap | None:
    """Return the WAL that a standby to be started needs and the primary no longer has.

    None if it has all, and for a running server, which is left alone.
    """
    if target.server_pid is not None or target.local_wal is None:
        return None
    return gap_from(target.local_wal.needed(wal.segment_bytes), wal)


def _needed(situation: Situation, segment: int) -> str:
    wal, limit = situation.wal, situation.facts.primary.slot_limit_bytes or 0
    begin = wal.begin_of(segment)
    return (
        f"{situation.name} needs {pretty_size(wal.bytes_since(begin.lsn))} of WAL, from {begin}; "
        f"a slot may keep {pretty_size(limit)} (max_slot_wal_keep_size, wal_keep_size)"
    )
