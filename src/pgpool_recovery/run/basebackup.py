"""Do the runner's part of a full copy: a checkpoint before it, and a watch on its progress."""

from math import inf

from pgpool_recovery.domain.event import Moved
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step import CopyBaseBackup
from pgpool_recovery.run.party import Party
from pgpool_recovery.run.progress import CopyProgress
from pgpool_recovery.run.source import bring_up
from pgpool_recovery.talk.protocol import TakeStep


def copy(party: Party, step: CopyBaseBackup) -> TargetState:
    """Have the agent copy for as long as the primary reports progress."""
    stall_s = party.deadlines.stall_s
    if step.source is not None:
        bring_up(party, step.source)
        # The agent emits the progress, since the primary knows nothing about this copy.
        return party.agent.ask(
            TakeStep(step, stall_s), timeout_s=stall_s, is_renewed_by_events=True
        )
    party.checkpoint()
    progress = CopyProgress(party.connection, step.slot_name, party.emit, stall_s=stall_s)
    # no limit: `progress` gives up on a copy that makes no progress for stall_s
    state = party.agent.ask(TakeStep(step, stall_s), timeout_s=inf, on_tick=progress.look)
    party.emit(Moved(progress.done_bytes or step.size_bytes))
    return state
