"""Do the runner's part of a rewind: a checkpoint before it, and a check of the WAL after it."""

from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.transfer import Rewind
from pgpool_recovery.run.needed_wal import local_wal, see_wal
from pgpool_recovery.run.party import Party, take_step


def rewind(party: Party, step: Rewind) -> TargetState:
    """Rewind, and check that the primary has the WAL that the directory then needs.

    A primary that was promoted a moment ago has its former timeline in its control file until its
    next checkpoint, and older releases of pg_rewind rely on that file. The same checkpoint may
    remove WAL that the node needs afterwards, so the slot is checked again after it.
    """
    party.connection.do("CHECKPOINT")
    party.slot.require_again()
    state = take_step(party, step)
    if not (step.is_followed_by_more or step.is_followed_by_archive):
        see_wal(party.connection, local_wal(party, step).needed(step.segment_bytes))
    return state
