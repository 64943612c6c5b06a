"""Tell how far the copy is, at a pace that a person can follow, and whether it gets on at all."""

import time
from typing import Any

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.event import Emit, Progress
from pgpool_recovery.postgres.connection import Connection

LOOK_EVERY_S = 1.0


class CopyProgress:
    """Asks the primary how far one base backup is; called as often as one likes."""

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
        """Emit the progress when it is time to; raise Undone when there was none for too long."""
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
                f"the copy has not got on for {self._stall_s:g} s",
                detail=f"{self._done_bytes} bytes were sent.",
                hint="Look at the network (its MTU, a firewall) and at the disks of both hosts. "
                "stall_s in the settings says how long to wait.",
            )

    @property
    def done_bytes(self) -> int:
        """What had been sent when the primary was asked last."""
        return self._done_bytes

    def _rows(self) -> list[dict[str, Any]]:
        try:
            return self._connection.rows("progress", name=self._name)
        except Unreachable:
            return []  # The copy itself will say so, and better.
