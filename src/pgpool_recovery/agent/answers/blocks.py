"""Answer the requests that send blocks to another agent (talk/request/blocks.py)."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pgpool_recovery.domain.event import Emit
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.blocks import (
    BlockRequest,
    CloseChannel,
    ListFiles,
    OpenChannel,
    ReceiveBlocks,
    SeeFileBackup,
    SendFiles,
    StartFileBackup,
    StopFileBackup,
)

if TYPE_CHECKING:
    from pgpool_recovery.agent.channel.receiving import ReceivingEnd
    from pgpool_recovery.agent.channel.sending import SendingEnd
    from pgpool_recovery.agent.server.file_backup import BackupSession


class BlockAnswers:
    """The channel and the backup of one conversation, until it ends."""

    def __init__(self, stop: Stop, emit: Emit) -> None:
        self._stop = stop
        self._emit = emit
        self._receiving: ReceivingEnd | None = None

    @cached_property
    def _channel(self) -> "SendingEnd":
        from pgpool_recovery.agent.channel.sending import SendingEnd

        return SendingEnd(self._stop, self._emit)

    @cached_property
    def _backup(self) -> "BackupSession":
        from pgpool_recovery.agent.server.file_backup import BackupSession

        return BackupSession()

    def answer(self, request: BlockRequest, connect_s: float) -> Any:
        """Return the result of a request."""
        match request:
            case StartFileBackup():
                return self._backup.start(request, connect_s)
            case SeeFileBackup():
                return self._backup.see()
            case StopFileBackup():
                return self._backup.stop()
            case OpenChannel():
                return self._channel.begin(request)
            case ListFiles():
                return self._channel.list(request)
            case SendFiles():
                return self._channel.send(request)
            case CloseChannel():
                return self._channel.close()
            case ReceiveBlocks():
                from pgpool_recovery.agent.channel.receiving import ReceivingEnd

                self._receiving = ReceivingEnd(request)
                return self._receiving.receives

    def receive(self, read_end: int, write_end: int) -> None:
        """Receive blocks until the end, after that was asked for and permitted."""
        if self._receiving is not None:
            self._receiving.run(read_end, write_end, self._stop)

    def close(self) -> None:
        """End the channel and the backup, if there are any."""
        if "_channel" in vars(self):
            self._channel.close()
        if "_backup" in vars(self):
            self._backup.close()
