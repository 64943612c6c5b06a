"""The receiving end of a channel: write into a directory as long as that is permitted."""

import os
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.blocks.link import FrameLink
from pgpool_recovery.blocks.receive import Receiver
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.host import zstd
from pgpool_recovery.host.permit import hold_permit
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.log.note import span
from pgpool_recovery.talk.request.blocks import ReceiveBlocks


class ReceivingEnd:
    """A permit to write, held until the end; raise Refused if the request's token is not valid."""

    def __init__(self, request: ReceiveBlocks) -> None:
        target = request.target
        self._request = request
        self._permit = hold_permit(Path(target.permit), target.token)

    @property
    def compresses(self) -> bool:
        """Whether blocks may be compressed."""
        return zstd.is_available()

    def run(self, read_end: int, write_end: int, stop: Stop) -> None:
        """Receive until the sender ends it, or until a failure, of which the sender was told."""
        link = FrameLink(read_end, write_end, silence_s=self._request.silence_s, check=stop.check)
        try:
            with span("receives blocks"), suppress(RecoveryError):
                Receiver(link, self._request.target).run()
        finally:
            os.close(self._permit)
