"""The sending end of a channel: on the source's host, for one of the runner's workers."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import TypeVar

from pgpool_recovery.agent.channel.page_check import page_checker
from pgpool_recovery.blocks.digest import digests_with
from pgpool_recovery.blocks.link import FrameLink
from pgpool_recovery.blocks.send import Sender
from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.blocks.throttle import Throttle
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.event import Emit
from pgpool_recovery.facts.blocks import Hash, SentBlocks
from pgpool_recovery.host import xxh3, zstd
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.conversation import Conversation, converse
from pgpool_recovery.talk.request.blocks import (
    FilePage,
    ListFiles,
    OpenChannel,
    ReceiveBlocks,
    SendFiles,
)

RECEIVER = "the target"
ENDS_WITHIN_S = 5.0
NICE = 10
LOWEST = ("-c", "2", "-n", "7")
"""Best effort, and last among those (ionice(1)): without I/O of others it takes what it can get."""


T = TypeVar("T")
Entry = tuple[str, int | None]


class _Listing:
    """A list that is made once and returned in parts; a directory may have a million entries.

    `last` is the path with which the last part ended.
    """

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self._following = next(entries, None)
        self.last: str | None = None

    @property
    def has_more(self) -> bool:
        """Whether another part would have anything."""
        return self._following is not None

    def some(self, limit: int) -> Iterator[Entry]:
        """Yield the next part."""
        for _ in range(limit):
            if self._following is None:
                return
            entry, self._following = self._following, next(self._entries, None)
            self.last = entry[0]
            yield entry


class SendingEnd:
    """One channel at a time, from a source to a receiver that is started here."""

    def __init__(self, stop: Stop, emit: Emit) -> None:
        self._stop = stop
        self._emit = emit
        self._open = ExitStack()
        self._files: SourceFiles | None = None
        self._sender: Sender | None = None
        self._receiver: Conversation | None = None
        self._listing: _Listing | None = None

    def begin(self, request: OpenChannel) -> Hash:
        """Start the receiver, then become a process that gives way to the server's own.

        Return the hash by which both compare.
        """
        self.close()
        secret = request.hash_secret if xxh3.is_available() else None
        with ExitStack() as stack:
            receiver = stack.enter_context(
                converse(
                    request.receiver,
                    RECEIVER,
                    self._emit,
                    timeout_s=request.silence_s,
                    undo_s=ENDS_WITHIN_S,
                )
            )
            receives = receiver.hand_over(
                ReceiveBlocks(request.target, request.silence_s, secret),
                timeout_s=request.silence_s,
            )
            read_end, write_end, begun = receiver.pipes
            link = FrameLink(
                read_end,
                write_end,
                begun,
                silence_s=request.silence_s,
                check=self._stop.check,
            )
            stack.callback(link.end)
            self._files = SourceFiles(request.source)
            self._sender = Sender(
                link,
                self._files,
                request.source.format.block_bytes,
                self._stop,
                digests_of=digests_with(secret if receives.hash is Hash.XXH3 else None),
                compresses=receives.compressed and receiver.is_by_ssh and zstd.is_available(),
                check_pages=page_checker(request, self._files, self._stop),
            )
            self._receiver = receiver
            self._open = stack.pop_all()
        give_way(self._stop)
        return receives.hash

    def list(self, request: ListFiles) -> FilePage:
        """Return the next part of the list of the source's files."""
        files = opened(self._files)
        directories, sizes = list[str](), dict[str, int]()
        if self._listing is None or self._listing.last != request.after:
            self._listing = _Listing(files.entries(request.after))
        for path, size_bytes in self._listing.some(request.limit):
            self._stop.check()
            if size_bytes is None:
                directories.append(path)
            else:
                sizes[path] = size_bytes
        return FilePage(tuple(directories), sizes, has_more=self._listing.has_more)

    def send(self, request: SendFiles) -> SentBlocks:
        """Send one batch of files; the channel is closed if that fails."""
        sender, meter = opened(self._sender), Meter(self._emit)
        throttle = Throttle(request.max_bytes_per_s, self._stop.wait)
        try:
            return sender.send(request.paths, throttle, meter.tell)
        except Unreachable as error:
            raise self._closed_after(error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the receiver."""
        self._files = self._sender = self._receiver = self._listing = None
        self._open.close()

    def _closed_after(self, error: Unreachable) -> RecoveryError:
        """Return the failure of a receiver that is gone, with what it, or ssh, has written."""
        receiver = opened(self._receiver)
        self.close()
        return error.changed(detail=receiver.last_errors or error.detail)


def opened(part: T | None) -> T:
    """Return a part of an open channel; raise Refused if none is open."""
    if part is None:
        raise Refused("no channel is open")
    return part


def give_way(stop: Stop) -> None:
    """Give this process a lower priority than the server's, as far as the system lets us.

    Only its main thread gets it, which reads and compares; a receiver that runs already does not.
    """
    with suppress(OSError):
        os.nice(NICE)
    with suppress(RecoveryError, OSError):
        run(["ionice", *LOWEST, "-p", str(os.getpid())], stop)
