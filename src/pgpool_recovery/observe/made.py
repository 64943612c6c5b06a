"""Observe what a command has made, as if it were the data of the node, and judge it."""

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.facts import Facts, Login
from pgpool_recovery.facts.rejection import as_error
from pgpool_recovery.facts.step.transfer import CheckMade
from pgpool_recovery.observe.past import compare_checkpoint, compare_wal
from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.observe.target import wanted_facts
from pgpool_recovery.plan.made import Accepted, judge
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.steps import AskMade


def see_made(
    connection: Connection,
    agent: Conversation,
    target: Target,
    settings: Settings,
    step: CheckMade,
) -> Accepted:
    """Return what is to be done about it; raise Undone if it cannot become a standby.

    The primary is observed again, because the backup may be newer than the plan. A base backup
    rarely has WAL that could be compared, but the checkpoint in its control file is one that only
    the server that was backed up has written.
    """
    primary = observe_primary(connection, looks_at_files=False)
    wanted = replace(wanted_facts(target, primary, settings), data_directory=step.places.data.new)
    patience = settings.timeout.observe_s
    made = agent.ask(AskMade(wanted), timeout_s=patience)
    login = Login(step.conninfo, primary.system_identifier, None)
    facts = Facts(primary=primary, target=made.facts, logins=(login,))
    compared = compare_wal(connection, agent, facts, timeout_s=patience)
    wrote_it = compare_checkpoint(connection, agent, facts, timeout_s=patience)
    if compared is not None and (wrote_it is False or compared.is_same is None):
        compared = replace(compared, is_same=wrote_it)
    facts = replace(facts, compared=compared)
    judged = judge(Situation(target, facts, settings.policy), step, made.end)
    if isinstance(judged, Accepted):
        return judged
    error = as_error(judged)
    raise Undone(error.message, detail=error.detail, hint=error.hint)
