"""Pass an agent's log lines to our own log, with the agent's name and up to a limit."""

from pgpool_recovery.log.note import is_on, note

MAX_BYTES = 4 * 2**20
"""The limit for one conversation: a faulty agent must not fill the primary's disk."""
LINE_BYTES = 100
"""What a line has in addition to its text: the time and the agent's name."""


class AgentLog:
    """Takes the log lines of one agent, and passes them on up to the limit."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bytes = 0

    def take(self, line: str) -> None:
        """Log a line; drop it when our log is off, or beyond the limit."""
        if not is_on() or self._bytes > MAX_BYTES:
            return
        self._bytes += LINE_BYTES + len(line.encode(errors="replace"))
        if self._bytes > MAX_BYTES:
            line = f"it has logged {MAX_BYTES} bytes; the rest is dropped"
        note("agent of {} | {}", self._name, line)
