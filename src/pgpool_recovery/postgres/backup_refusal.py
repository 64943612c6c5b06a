"""What a server says when it refuses a base backup, and what to do about it."""

from collections.abc import Iterable

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.postgres.connection import THE_PRIMARY

WITHOUT_SUMMARIES = "Set summarize_wal = on on every node, long before it is needed."
DIVERGED = "The target has diverged from the primary. Rewind it first, or make a full copy."
REFUSALS = (
    ("unless WAL summarization is enabled", WITHOUT_SUMMARIES),
    (
        "WAL summaries are required",
        f"{WITHOUT_SUMMARIES} WAL summaries are kept for wal_summary_keep_time. Make a full copy.",
    ),
    (
        "WAL summarization is not progressing",
        "Check the primary's log for messages of the WAL summarizer.",
    ),
    ("but not in this server's history", DIVERGED),
    ("but this server switched timelines at", DIVERGED),
    (
        "but this backup starts at",
        "The target is ahead of the primary. Rewind it first, or make a full copy.",
    ),
    ("system identifier in backup manifest", "The target belongs to another cluster."),
)
"""Fragments of the server's message when it cannot make the backup, and what to do about each.

When its messages are in another language (lc_messages), no hint is given.
"""


def refusal(said: Iterable[str], name: str = THE_PRIMARY) -> Refused:
    """Return the refusal for a server's message, detail and hint.

    >>> refusal(["incremental backups cannot be taken unless WAL summarization is enabled"]).hint
    'Set summarize_wal = on on every node, long before it is needed.'
    """
    words = [text.strip() for text in said if text.strip()]
    message = words[0] if words else ""
    hints = [hint for fragment, hint in REFUSALS if fragment in message]
    return Refused(
        f"{name} refuses the base backup",
        detail="\n".join(words) or None,
        hint=hints[0] if hints else None,
    )
