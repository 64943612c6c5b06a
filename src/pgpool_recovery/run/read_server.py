"""The server whose files a delta reads: how to connect to it, and to start agents on its host."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from pgpool_recovery.domain.event import Emit
from pgpool_recovery.domain.record import record
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.talk.conversation import Conversation


@record
class ReadServer:
    """A server, by what is done with it.

    `connect` opens a session with it, in which a backup can be taken. `start_agent` starts an agent
    on its host, whose events go to the given function. `receiver` is the words that start an agent
    on the target from there.
    """

    name: str
    connect: Callable[[], AbstractContextManager[Connection]]
    start_agent: Callable[[Emit], AbstractContextManager[Conversation]]
    receiver: tuple[str, ...]
