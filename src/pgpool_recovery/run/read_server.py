"""The server whose files a delta reads: how to connect to it, and to start agents on its host."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from pgpool_recovery.domain.event import Emit
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.blocks import FileBackup
from pgpool_recovery.talk.conversation import Conversation


class Bracket(Protocol):
    """A backup of the server's files that was begun, and ends with its session."""

    backup: FileBackup

    def see(self) -> None:
        """Raise if it is lost."""

    def stop(self) -> str:
        """End it; return the contents of its backup_label."""


@record
class ReadServer:
    """A server, by what is done with it.

    `bracket` begins a backup of it with a label; a block that does not end it aborts it.
    `start_agent` starts an agent on its host, whose events go to the given function. `receiver` is
    the words that start an agent on the target from there.
    """

    name: str
    bracket: Callable[[str], AbstractContextManager[Bracket]]
    start_agent: Callable[[Emit], AbstractContextManager[Conversation]]
    receiver: tuple[str, ...]
