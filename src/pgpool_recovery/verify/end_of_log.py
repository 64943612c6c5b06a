"""The end of a started server's log, which shows why the server is not a sound standby."""

from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.server import LogPosition, ReadLog


def end_of_log(agent: Conversation, log: LogPosition | None, *, timeout_s: float) -> str | None:
    """Return its last lines, after its name; None if there is no log or it is empty."""
    text = "" if log is None else agent.ask(ReadLog(log), timeout_s=timeout_s)
    return f"Its log {log.file} ends:\n{text}" if log is not None and text else None
