"""Report the progress of a copy about once a second, and give up if there is none."""

import time
from typing import Any

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.event import Emit, Progress
from pgpool_recovery.postgres.connection import Connection

LOOK_EVERY_S = 1.0


class CopyProgress:
    """Queries the progress of one base backup on the primary; may be called at any rate."""

    def __init__(
        self,
        connection: Connection,
        name: str,
        emit: Emit,
        *,
        stall_s: float,
    ) -> None:
        self._connection = connection
        self._name = name
        self._emit = emit
        self._stall_s = stall_s
        self._done_bytes = 0
        self._began = self._told = self._got_on = time.monotonic()

    def look(self) -> None:
        """Emit the progress if it is due; raise Undone if there was none for `stall_s`."""
        now = time.monotonic()
        if now - self._told < LOOK_EVERY_S:
            return
        self._told = now
        for row in self._rows():
            done, total = row["done_bytes"] or 0, row["total_bytes"] or 0
            if done != self._done_bytes:
                self._done_bytes, self._got_on = done, now
            self._emit(Progress(done, total, bytes_per_s=done / (now - self._began)))
        if now - self._got_on > self._stall_s:
            raise Undone(
                f"the copy has made no progress for {self._stall_s:g} s",
                detail=f"{self._done_bytes} bytes were sent.",
                hint="Check the network (its MTU, a firewall) and the disks of both hosts. "
                "stall_s in the settings sets how long to wait.",
            )

    @property
    def done_bytes(self) -> int:
        """The bytes that had been sent at the last query."""
        return self._done_bytes

    def _rows(self) -> list[dict[str, Any]]:
        try:
            return self._connection.rows("progress", name=self._name)
        except Unreachable:
            return []  # The copy itself will fail, with a better message.
