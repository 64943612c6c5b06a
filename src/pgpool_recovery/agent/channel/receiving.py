"""The receiving end of a channel: write into a directory as long as that is permitted."""

import os
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.blocks.digest import digests_with
from pgpool_recovery.blocks.link import FrameLink
from pgpool_recovery.blocks.receive import Receiver
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.facts.blocks import Hash
from pgpool_recovery.host import xxh3, zstd
from pgpool_recovery.host.permit import hold_permit
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.log.note import span
from pgpool_recovery.talk.request.blocks import ReceiveBlocks, Receives


class ReceivingEnd:
    """A permit to write, held until the end; raise Refused if the request's token is not valid."""

    def __init__(self, request: ReceiveBlocks) -> None:
        target = request.target
        self._request = request
        secret = request.hash_secret if xxh3.is_available() else None
        self._digests_of = digests_with(secret)
        self._hash = Hash.SHA_256 if secret is None else Hash.XXH3
        self._permit = hold_permit(Path(target.permit), target.token)

    @property
    def receives(self) -> Receives:
        """How blocks are taken here."""
        return Receives(zstd.is_available(), self._hash)

    def run(self, read_end: int, write_end: int, stop: Stop) -> None:
        """Receive until the sender ends it, or until a failure, of which the sender was told."""
        link = FrameLink(read_end, write_end, silence_s=self._request.silence_s, check=stop.check)
        try:
            with span("receives blocks"), suppress(RecoveryError):
                Receiver(link, self._request.target, self._digests_of).run()
        finally:
            os.close(self._permit)
