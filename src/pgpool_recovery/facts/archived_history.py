"""The timeline history files that a WAL archive returned."""

import re

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.text import one_line
from pgpool_recovery.domain.wal import History, TimelineId, parse_history

MAX_BYTES = 65_536
"""The largest history file that is read; it grows by some 50 bytes with each promotion."""
MAX_BEYOND = 8
"""How many timelines after the primary's are requested; a server stops at the first gap."""
MAX_REASON = 100
LAST_REASON = re.compile(r"^\s*\d+\s+\S+\s+(\S.*)$", re.MULTILINE)


@record
class ArchivedHistory:
    """A file that an archive has under the name of a timeline history file.

    `history` is None if it is not a history file. `reason` is why the server that wrote it was
    promoted, as the file says.
    """

    timeline: TimelineId
    history: History | None
    reason: str | None

    @property
    def file(self) -> str:
        """The name of the file."""
        return history_file(self.timeline)


@record
class Archive:
    """What a node's restore_command returned when called for history files as by its server.

    `longest_s` is the duration of its longest call. `is_silent`: that call did not end within the
    limit, and no more were made. `fatal` describes a failure that would also end the server.
    """

    histories: tuple[ArchivedHistory, ...]
    longest_s: float
    is_silent: bool = False
    fatal: str | None = None


def history_file(timeline: TimelineId) -> str:
    """Return the name of the history file of a timeline (TLHistoryFileName).

    >>> history_file(TimelineId(26))
    '0000001A.history'
    """
    return f"{timeline:08X}.history"


def read_archived(timeline: TimelineId, contents: bytes) -> ArchivedHistory:
    r"""Return what an archive holds under the name of a timeline history file.

    >>> read_archived(TimelineId(2), b"1\t0/3000060\tno recovery target specified\n").reason
    'no recovery target specified'
    >>> read_archived(TimelineId(2), b"404 Not Found\n").history
    """
    text = contents.decode("utf-8", "surrogateescape")
    try:
        history = parse_history(text, timeline)
    except Refused:
        return ArchivedHistory(timeline, None, None)
    reasons = LAST_REASON.findall(text)
    reason = one_line(reasons[-1])[:MAX_REASON] if reasons else None
    return ArchivedHistory(timeline, history, reason)
