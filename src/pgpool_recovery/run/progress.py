"""Tell how far the copy is, at a pace that a person can follow."""

import time
from collections.abc import Callable
from typing import Any

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Event, Progress
from pgpool_recovery.postgres.connection import Connection

TOLD_EVERY_S = 5.0


class CopyProgress:
    """Asks the primary how far one base backup is; called as often as one likes."""

    def __init__(self, connection: Connection, name: str, emit: Callable[[Event], None]) -> None:
        self._connection = connection
        self._name = name
        self._emit = emit
        self._began = self._told = time.monotonic()

    def look(self) -> None:
        """Emit the progress when it is time to."""
        now = time.monotonic()
        if now - self._told < TOLD_EVERY_S:
            return
        self._told = now
        for row in self._rows():
            done, total = row["done_bytes"] or 0, row["total_bytes"] or 0
            self._emit(Progress(done, total, bytes_per_s=done / (now - self._began)))

    def _rows(self) -> list[dict[str, Any]]:
        try:
            return self._connection.rows("progress", name=self._name)
        except Unreachable:
            return []  # The copy itself will say so, and better.
