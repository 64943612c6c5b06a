"""Do the runner's part of a full copy: a checkpoint before it, and a limit for its silence."""

from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.transfer import CopyBaseBackup
from pgpool_recovery.run.backup_begin import prepare_backup
from pgpool_recovery.run.party import Party
from pgpool_recovery.talk.request.steps import TakeStep

SPARE_S = 30.0
"""An agent that notices by itself that nothing arrives has this long to say so."""


def copy(party: Party, step: CopyBaseBackup) -> TargetState:
    """Have the agent copy for as long as it reports progress.

    The agent notices a server that sends nothing; a hanging disk is noticed here.
    """
    prepare_backup(party, step.source)
    stall_s = party.deadlines.stall_s
    return party.agent.ask(
        TakeStep(step, stall_s), timeout_s=stall_s + SPARE_S, is_renewed_by_events=True
    )
