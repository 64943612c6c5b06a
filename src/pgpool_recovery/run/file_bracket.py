"""Bracket the reading of a server's files by a backup, in a session here or of an agent there."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pgpool_recovery.facts.blocks import FileBackup
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.file_backup import start_file_backup, stop_file_backup
from pgpool_recovery.run.read_server import Bracket
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.blocks import SeeFileBackup, StartFileBackup, StopFileBackup


class OwnBracket:
    """A backup in a session of our own."""

    def __init__(self, session: Connection, backup: FileBackup) -> None:
        self._session = session
        self.backup = backup

    def see(self) -> None:
        """Raise if the session is lost, which the backup does not survive."""
        self._session.do("SELECT 1")

    def stop(self) -> str:
        """End the backup; return the contents of its backup_label."""
        return stop_file_backup(self._session, self.backup)


class AgentBracket:
    """A backup in a session of an agent on the server's host."""

    def __init__(self, agent: Conversation, backup: FileBackup, answer_s: float) -> None:
        self._agent, self._answer_s = agent, answer_s
        self.backup = backup

    def see(self) -> None:
        """Raise if the agent or its session is lost, or if the server is no longer a standby."""
        self._agent.ask(SeeFileBackup(), timeout_s=self._answer_s)

    def stop(self) -> str:
        """End the backup; raises Unreachable if the standby was promoted meanwhile."""
        return self._agent.ask(StopFileBackup(), timeout_s=self._answer_s)


@contextmanager
def own_bracket(
    connect: Callable[[], AbstractContextManager[Connection]], label: str
) -> Iterator[Bracket]:
    """Take a backup in a session of our own; it is aborted if the block does not end it."""
    with connect() as session:  # no limit: it is the caller's, with the limits of the settings
        yield OwnBracket(session, start_file_backup(session, label))


@contextmanager
def agent_bracket(
    start_agent: Callable[[], AbstractContextManager[Conversation]],
    request: StartFileBackup,
    *,
    start_s: float,
    answer_s: float,
) -> Iterator[Bracket]:
    """Have an agent on the server's host take the backup; it ends with the conversation."""
    with start_agent() as agent:
        yield AgentBracket(agent, agent.ask(request, timeout_s=start_s), answer_s)
