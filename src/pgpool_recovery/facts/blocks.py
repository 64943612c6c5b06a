"""What the two ends of a comparison of blocks are told: where they read, and where they write."""

from enum import StrEnum

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Lsn, Point


@record
class BlockFormat:
    """Whose files they are, and how they are made.

    `version_directory` is the cluster's directory in each tablespace.
    """

    system_identifier: str
    version_directory: str
    block_bytes: int
    segment_blocks: int
    has_checksums: bool


@record
class BlockSource:
    """The files of a running server, which are read on its host and never written.

    `tablespaces` are the OIDs of those that it had when the backup began. `is_whole`: all that a
    base backup sends is read, so also what is at the top of the data directory.
    """

    data_directory: str
    tablespaces: tuple[int, ...]
    format: BlockFormat
    is_whole: bool = False


@record
class BlockTarget:
    """The files that are written, as the agent that holds the target's lock has named them.

    Paths on the wire are relative to `data_directory`; those in `pg_tblspc/OID/` lead to that
    tablespace's directory in `tablespaces`, never through a link. `control_file` is where
    ``global/pg_control`` is written instead, relative as well. A receiver opens `permit` first,
    holds it with a shared lock (flock) until it ends, and must find `token` in it: so none writes
    that a later run has not let in. `check_pages_from` is the start of the backup, if the pages
    that are sent are to be checked. `is_whole` is as in `BlockSource`.
    """

    data_directory: str
    tablespaces: dict[int, str]
    format: BlockFormat
    control_file: str
    permit: str
    token: str
    check_pages_from: Lsn | None
    is_whole: bool = False


@record
class FileBackup:
    """A backup that has begun: where replay will start, and what there is to read.

    `locations` are those of the server's tablespaces, by OID.
    """

    start: Point
    source: BlockSource
    locations: dict[int, str]
    major: int


class Hash(StrEnum):
    """How blocks are compared, as in messages."""

    XXH3 = "XXH3"
    SHA_256 = "SHA-256"


@record
class SentBlocks:
    """What was done with some files; `vanished` are those that the source no longer has."""

    read_bytes: int
    sent_bytes: int
    blocks: int
    files_whole: int
    vanished: tuple[str, ...]
