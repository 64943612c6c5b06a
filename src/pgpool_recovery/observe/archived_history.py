"""Observe which history files the target's restore_command returns: its server follows them."""

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.facts.archived_history import MAX_BEYOND, Archive
from pgpool_recovery.facts.facts import PrimaryFacts, TargetFacts
from pgpool_recovery.plan.stray import restore_command
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.host import AskArchive

PATIENCE = 6
"""How many times the limit a slow command is given before it counts as one that does not work."""
MARGIN_S = 5.0
"""How many seconds more than its limit a call may take, in order to be terminated."""


def observe_archive(
    agent: Conversation,
    primary: PrimaryFacts,
    target: TargetFacts,
    settings: Settings,
    *,
    is_patient: bool,
) -> Archive | None:
    """Return which history files the target's restore_command returns; None without a command.

    The first is that of the timeline from which its server would search for newer ones. A slow
    command need not be a dead one: if `is_patient`, one that did not end in time is run once more,
    with a longer limit.
    """
    command = restore_command(primary, target)
    if not command or primary.wal is None:
        return None
    history, limit_s = primary.wal.history, settings.timeout.archive_s
    since = history.current if target.control is None else target.control.timeline
    calls = len(history.timelines) + MAX_BEYOND

    def ask(within_s: float) -> Archive:
        asked = AskArchive(target.data.path, command, history, since, within_s)
        return agent.ask(asked, timeout_s=calls * (within_s + MARGIN_S))

    found = ask(limit_s)
    return ask(PATIENCE * limit_s) if found.is_silent and is_patient else found
