"""What an agent logs, as lines of our own log: whose it is stands before, and there is a limit."""

from pgpool_recovery.log.note import is_on, note

MAX_BYTES = 4 * 2**20
"""Of one conversation. An agent that is out of order must not fill the primary's disk."""
LINE_BYTES = 100
"""What a line has besides: the time, and whose it is."""


class AgentLog:
    """Takes the lines that an agent logs, and passes on what there is room for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bytes = 0

    def take(self, line: str) -> None:
        """Take a line; one that nobody has asked for is dropped."""
        if not is_on() or self._bytes > MAX_BYTES:
            return
        self._bytes += LINE_BYTES + len(line.encode(errors="replace"))
        if self._bytes > MAX_BYTES:
            line = f"it has logged {MAX_BYTES} bytes; more is dropped"
        note("agent of {} | {}", self._name, line)
