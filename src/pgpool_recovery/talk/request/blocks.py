"""The requests with which one agent sends the blocks of its server's files to another one."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.blocks import (
    BlockSource,
    BlockTarget,
    FileBackup,
    Hash,
    SentBlocks,
)
from pgpool_recovery.talk.request.asks import Asks


@record
class StartFileBackup(Asks[FileBackup]):
    """Begin a backup of the running server's files, in a session that stays open; return its start.

    The backup ends with the session, and the session with the conversation. The login is the one of
    `AskRunning`. `answer_s` limits the start, which waits for a checkpoint or a restartpoint.
    """

    data_directory: str
    dbname: str
    user: str | None
    label: str
    answer_s: float


@record
class SeeFileBackup(Asks[None]):
    """Fail if the session with the backup is lost."""


@record
class StopFileBackup(Asks[str]):
    """End the backup that was begun; return the contents of its backup_label."""


@record
class OpenChannel(Asks[Hash]):
    """Start a receiver with these words, and open a channel to it for the blocks that differ.

    Return the hash by which blocks are compared: XXH3 with this secret if both ends can compute it,
    SHA-256 if one cannot, or if there is no secret. It is random, and made for this run.

    The channel is closed if the receiver sends nothing for `silence_s`.
    """

    source: BlockSource
    target: BlockTarget
    receiver: tuple[str, ...]
    silence_s: float
    hash_secret: str | None


@record
class FilePage:
    """A part of the list of a server's files, with their sizes, and of its directories.

    `has_more`: the next part begins after the last path of this one.
    """

    directories: tuple[str, ...]
    files: dict[str, int]
    has_more: bool


@record
class ListFiles(Asks[FilePage]):
    """Return the next files and directories of the server after this path, as a backup has them."""

    after: str | None
    limit: int


@record
class SendFiles(Asks[SentBlocks]):
    """Compare these files with the receiver's, and send the blocks that differ.

    Answer when all of them are on the target's disk; after a failure the channel is closed. At most
    `max_bytes_per_s` are read, None: without a limit. Emit `Progress` with the bytes that were read
    since this request began.
    """

    paths: tuple[str, ...]
    max_bytes_per_s: int | None


@record
class CloseChannel(Asks[None]):
    """End the receiver; all that was sent is written already."""


@record
class Receives:
    """How a receiver takes blocks: whether they may be compressed, and how they are compared."""

    compressed: bool
    hash: Hash


@record
class ReceiveBlocks(Asks[Receives]):
    """Receive blocks: after the answer, standard input and output carry frames, not messages.

    They are compared by XXH3 with this secret if there is one, and this host can compute it.
    Whether it fails or not, this is the last request.
    """

    target: BlockTarget
    silence_s: float
    hash_secret: str | None


BlockRequest = (
    StartFileBackup
    | SeeFileBackup
    | StopFileBackup
    | OpenChannel
    | ListFiles
    | SendFiles
    | CloseChannel
    | ReceiveBlocks
)
