"""Notice that a standby waits for WAL that neither its archive nor the primary has.

The wait goes on nevertheless: a command that fails as if a file were missing may only be cut off
from its archive, and whoever reads the message may put the file there.
"""

import time
from collections.abc import Callable

from pgpool_recovery.domain.standby import STREAMING, StandbyFacts, UpstreamFacts
from pgpool_recovery.domain.wal import Lsn, segment_of_file
from pgpool_recovery.plan.from_archive import name_of
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.wal import read_wal

ASKS_EVERY_S = 5.0
"""How often a server asks its archive for a file that it lacks, unless wal_retrieve_retry_interval
is set."""
CALLS = 2
"""How often it has asked in vain before the file counts as missing."""


class MissingWal:
    """The WAL file for which a standby waits in vain, once that is known."""

    def __init__(self, connection: Connection, tell: Callable[[str], None]) -> None:
        self._connection = connection
        self._tell = tell
        self._place: tuple[str | None, Lsn | None] = (None, None)
        self._since = 0.0
        self.sentence: str | None = None
        """What is missing; None if nothing is known to be."""

    def look(self, node: StandbyFacts, _upstream: UpstreamFacts) -> None:
        """Take an observation; tell about a file that turns out to be missing, once."""
        now, place = time.monotonic(), (node.replaying, node.replayed)
        if place != self._place or node.receiver == STREAMING:
            self._place, self._since, self.sentence = place, now, None
        is_over = node.lacks_wal and now - self._since >= CALLS * ASKS_EVERY_S
        if self.sentence is not None or node.replaying is None or not is_over:
            return
        self._since = now
        self.sentence = self._missing(node.replaying)
        if self.sentence is not None:
            self._tell(self.sentence)

    def _missing(self, file: str) -> str | None:
        """Return that a file is missing; None if the primary has it.

        The name is that on the primary's timeline: the server has asked for others after it.
        """
        wal = read_wal(self._connection)
        segment = segment_of_file(file, wal.segment_bytes)
        if segment >= wal.oldest_segment:
            return None
        name = name_of(segment, wal)
        return f"It needs {name}, which its archive does not bring and the primary no longer has."
