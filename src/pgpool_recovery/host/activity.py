"""Whether a program that takes long still does something, seen from outside."""

import time

from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.files.process_table import processes

LOOK_EVERY_S = 5.0
SESSION, USER_TIME, SYSTEM_TIME = 3, 11, 12
"""Fields of proc_pid_stat(5), counted from the state on."""
COUNTED = ("rchar", "wchar", "read_bytes", "write_bytes")
"""Lines of proc_pid_io(5)."""


class Activity:
    """What the processes of a session have read, written and computed, looked at now and then.

    A program that waits for a silent host, or for a lock, does nothing of that.
    """

    def __init__(self, session: int) -> None:
        self._session = str(session)
        self._seen: frozenset[tuple[int, int]] | None = None
        self._looked = time.monotonic()

    def is_seen(self) -> bool:
        """Return whether they have done anything since this was last found out, a while ago."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return False
        self._looked = now
        before, self._seen = self._seen, frozenset(self._counts())
        return before is not None and before != self._seen

    def _counts(self) -> list[tuple[int, int]]:
        """Return for each process how much it has done; those that have ended are not listed."""
        found = list[tuple[int, int]]()
        for process in processes():
            fields = process.text("stat").rpartition(")")[2].split()
            if len(fields) > SYSTEM_TIME and fields[SESSION] == self._session:
                time_used = int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])
                found.append((process.pid, time_used + _io(process.text("io"))))
        return found


def _io(text: str) -> int:
    """Return the sum of what was read and written.

    >>> _io("rchar: 5\\nwchar: 7\\nsyscr: 100\\nread_bytes: 4096\\nwrite_bytes: 0\\n")
    4108
    """
    lines = (line.partition(": ") for line in lines_of(text))
    return sum(int(count) for name, _, count in lines if name in COUNTED)
