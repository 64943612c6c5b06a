"""The end of a started server's log: why it is not as it should be."""

from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.protocol import LogPosition, ReadLog


def end_of_log(agent: Conversation, log: LogPosition | None, *, timeout_s: float) -> str | None:
    """Return its last lines, with its name; None where there is none, or nothing in it."""
    text = "" if log is None else agent.ask(ReadLog(log), timeout_s=timeout_s)
    return f"Its log {log.file} ends:\n{text}" if log is not None and text else None
