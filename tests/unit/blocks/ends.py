"""Both ends of a channel in this process, and directories that look like those of a cluster."""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgpool_recovery.blocks.digest import digests_with
from pgpool_recovery.blocks.link import FrameLink
from pgpool_recovery.blocks.receive import Receiver
from pgpool_recovery.blocks.send import CheckPages, Sender
from pgpool_recovery.blocks.source import SourceFiles
from pgpool_recovery.blocks.throttle import Throttle
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.facts.blocks import BlockFormat, BlockSource, BlockTarget, SentBlocks
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.xxh3 import SECRET_BYTES

VERSION = "PG_15_202209061"
BLOCK_BYTES = 1024
SILENCE_S = 20.0
FORMAT = BlockFormat(
    system_identifier="7298271828459045235",
    version_directory=VERSION,
    block_bytes=BLOCK_BYTES,
    segment_blocks=131072,
    has_checksums=False,
)
SECRET = bytes(at % 251 for at in range(SECRET_BYTES)).hex()
DIGESTS_OF = digests_with(SECRET)
TOPS = ("base/5", "global", "pg_commit_ts", "pg_logical", "pg_stat", "pg_twophase", "pg_xact")


def block(mark: str) -> bytes:
    """Return a block; a dot stands for zeros."""
    return (b"\0" if mark == "." else mark.encode()) * BLOCK_BYTES


def contents(marks: str) -> bytes:
    """Return the contents of a file, with one block for each mark."""
    return b"".join(map(block, marks))


def make_cluster(directory: Path) -> Path:
    """Make the directories of a cluster."""
    for top in (*TOPS, "pg_multixact/members", "pg_multixact/offsets", "pg_tblspc"):
        (directory / top).mkdir(parents=True)
    directory.chmod(0o700)
    return directory


def write(directory: Path, files: dict[str, bytes]) -> None:
    """Write files."""
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)


def read(directory: Path) -> dict[str, bytes]:
    """Return all files below a directory."""
    found = (file for file in directory.rglob("*") if file.is_file() and not file.is_symlink())
    return {str(file.relative_to(directory)): file.read_bytes() for file in found}


def source_of(directory: Path, tablespaces: Sequence[int] = ()) -> BlockSource:
    """Return a source."""
    return BlockSource(str(directory), tuple(tablespaces), FORMAT)


def target_of(directory: Path, tablespaces: dict[int, str] | None = None) -> BlockTarget:
    """Return a target."""
    return BlockTarget(
        data_directory=str(directory),
        tablespaces=tablespaces or {},
        format=FORMAT,
        control_file="global/pgpool_recovery.pg_control.new",
        permit=str(directory / "permit"),
        token="secret",
        check_pages_from=None,
    )


class Receiving:
    """A receiver in a thread of its own."""

    def __init__(self, target: BlockTarget, read_end: int, write_end: int) -> None:
        self.stop = Stop()
        self.failure: RecoveryError | None = None
        self._ends = (read_end, write_end)
        self._link = FrameLink(read_end, write_end, silence_s=SILENCE_S, check=self.stop.check)
        self._receiver = Receiver(self._link, target, DIGESTS_OF)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._receiver.run()
        except RecoveryError as error:
            self.failure = error
        finally:
            for end in self._ends:
                os.close(end)

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(30)
        assert not self._thread.is_alive()


def _pipe() -> tuple[int, int]:
    """Return a pipe that holds almost nothing, so that ends that wait for each other show it."""
    ends = os.pipe()
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 4096)
    return ends


@contextmanager
def receiving(target: BlockTarget) -> Iterator[tuple[Receiving, int, int]]:
    """Start a receiver; yield it with the descriptors to read from it and to write to it."""
    to_sender, from_receiver = _pipe()
    to_receiver, from_sender = _pipe()
    receiver = Receiving(target, to_receiver, from_receiver)
    try:
        yield receiver, to_sender, from_sender
    finally:
        os.close(from_sender)
        receiver.join()
        os.close(to_sender)


@contextmanager
def sending(
    source: BlockSource,
    target: BlockTarget,
    *,
    compresses: bool = False,
    check_pages: CheckPages | None = None,
) -> Iterator[Sender]:
    """Yield a sender with a receiver at its other end."""
    with receiving(target) as (_, read_end, write_end):
        stop = Stop()
        link = FrameLink(read_end, write_end, silence_s=SILENCE_S, check=stop.check)
        try:
            yield Sender(
                link,
                SourceFiles(source),
                BLOCK_BYTES,
                stop,
                digests_of=DIGESTS_OF,
                compresses=compresses,
                check_pages=check_pages,
            )
        finally:
            link.end()


def transfer(
    source: Path, target: Path, paths: Sequence[str], *, compresses: bool = False
) -> SentBlocks:
    """Make files of a target like those of a source."""
    with sending(source_of(source), target_of(target), compresses=compresses) as sender:
        return sender.send(paths, Throttle(None, lambda _: None))
