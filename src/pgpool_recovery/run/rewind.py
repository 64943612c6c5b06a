"""The runner's part of a rewind: what the primary has to do before, and to have afterwards."""

from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step import Rewind
from pgpool_recovery.run.needed_wal import local_wal, see_wal
from pgpool_recovery.run.party import Party
from pgpool_recovery.talk.protocol import TakeStep


def rewind(party: Party, step: Rewind) -> TargetState:
    """Rewind, and see that the primary has what the directory then needs.

    A primary that was promoted just now has its former timeline in its control file until its
    next checkpoint, and pg_rewind of older releases takes that for the truth. By the same
    checkpoint the slot may have lost what the node needs afterwards.
    """
    party.connection.do("CHECKPOINT")
    party.slot.require_again()
    taking = TakeStep(step, party.deadlines.stall_s)
    state = party.agent.ask(taking, timeout_s=party.deadlines.step_s)
    if not step.is_followed_by_more:
        see_wal(party.connection, local_wal(party, step).needed(step.segment_bytes))
    return state
