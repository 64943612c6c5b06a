"""The backup_label of an incremental backup, and of the complete directory made from it."""

from pgpool_recovery.domain.line import lines_of

MAX_BYTES = 65536
INCREMENTAL = "INCREMENTAL FROM "


def is_incremental(label: str) -> bool:
    """Return whether the server refuses to start on it, because only changed blocks are there."""
    return any(line.startswith(INCREMENTAL) for line in lines_of(label))


def without_incremental(label: str) -> str:
    r"""Return the label of the complete directory that an incremental backup was made into.

    >>> without_incremental("START TIMELINE: 1\nINCREMENTAL FROM LSN: 0/1\n")
    'START TIMELINE: 1\n'
    """
    lines = label.split("\n")  # The last one is empty, which keeps the final line feed.
    return "\n".join(line for line in lines if not line.startswith(INCREMENTAL))
