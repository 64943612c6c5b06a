"""Do the runner's part of an incremental base backup: find the relations to leave out."""

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.transfer import Incremental
from pgpool_recovery.plan.summaries import newly_left_out
from pgpool_recovery.postgres.summaries import summaries_since, truncated_since
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.run.needed_wal import local_wal
from pgpool_recovery.run.party import Party
from pgpool_recovery.talk.request.steps import AbortIncremental, ApplyIncremental, BeginIncremental

MAX_BACKUPS = 5


def apply_incremental(party: Party, step: Incremental) -> TargetState:
    """Begin a backup, again if a relation was truncated that it does not leave out; then apply it.

    Only once the backup has started do the summaries cover all WAL up to its start, so truncations
    can be found only then. Raise Undone if there was a new one in each of MAX_BACKUPS attempts.
    """
    connection, agent, deadlines = party.connection, party.agent, party.deadlines
    base = local_wal(party, step).base
    reject = summaries_since(connection, base.redo, read_wal(connection).history)
    if reject is not None:
        raise Undone(reject.message, detail=reject.detail, hint=reject.hint)
    known = truncated_since(connection, base.redo)
    party.checkpoint()
    for _ in range(MAX_BACKUPS):
        begin = BeginIncremental(step, tuple(known))
        start = agent.ask(begin, timeout_s=deadlines.stall_s)
        new = newly_left_out(known, truncated_since(connection, base.redo, before=start))
        if not new:
            party.slot.require(start)
            # The agent notices a silent primary; a hanging disk is noticed here.
            return agent.ask(
                ApplyIncremental(step),
                timeout_s=deadlines.stall_s,
                is_renewed_by_events=True,
            )
        agent.ask(AbortIncremental(), timeout_s=deadlines.answer_s)
        known |= new
    raise Undone(f"relations were truncated during each of {MAX_BACKUPS} backups")
