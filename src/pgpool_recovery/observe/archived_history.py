"""What the target's restore_command says of history: its server will believe it."""

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.facts.archived_history import MAX_BEYOND, Archive
from pgpool_recovery.facts.facts import PrimaryFacts, TargetFacts
from pgpool_recovery.plan.stray import restore_command
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.protocol import AskArchive

PATIENCE = 6
"""How many times the limit a slow one is given before it counts as one that does not work."""
MARGIN_S = 5.0
"""What a call may take longer than its limit, to be ended."""


def observe_archive(
    agent: Conversation,
    primary: PrimaryFacts,
    target: TargetFacts,
    settings: Settings,
    *,
    is_patient: bool,
) -> Archive | None:
    """Return what the target's restore_command gives of history files; None without one.

    From the timeline on from which its server would look for newer ones. Slow is not dead: with
    patience one that is silent is asked once more, and given longer.
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
