"""The WAL files that an archive returned for trial, and what is known of them."""

from enum import StrEnum

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, TimelineId
from pgpool_recovery.facts.archived_history import Archive
from pgpool_recovery.facts.own_wal import Part

WAL_NAME = "RECOVERYXLOG"
"""What a server calls the file that it requests from an archive."""


class Origin(StrEnum):
    """Where the command comes from that fetches WAL from an archive; the best one first."""

    OWN = "the node's own restore_command"
    PGBACKREST = "archive-get of pgBackRest"
    SETTINGS = "restore_command of the settings"


@record
class WantedWal:
    """A WAL file to be fetched for trial, and the parts of it whose digests are wanted."""

    name: str
    parts: tuple[Part, ...] = ()


@record
class FetchedWal:
    """What came for the name of a WAL file.

    `head` is its first bytes in hexadecimal, and None if nothing came; then `problem` is how the
    command failed. `digests` are those of the parts that were wanted; None for a part that lies
    beyond the end of the file.
    """

    name: str
    head: str | None
    size_bytes: int = 0
    digests: tuple[str | None, ...] = ()
    problem: str | None = None


@record
class WalTrial:
    """What one command returned; after a file that it did not deliver, no more were requested."""

    files: tuple[FetchedWal, ...]
    longest_s: float = 0.0
    is_silent: bool = False


@record
class Likeness:
    """Whether a file of the archive is equal to the same part of the WAL of a server.

    `upto` is where the compared part ends, and `is_same` is None if one of them does not have it.
    """

    name: str
    upto: Lsn
    is_same: bool | None


@record
class ArchivedWal:
    """One archive, as the node reaches it: a command that may fetch WAL, and what it returned.

    `archive` has the history files that it returned, `trial` the WAL files without which it is not
    used, and `spread` those between them that there was the time to try. `problem` is why it was
    not tried at all. `of_node` compares its WAL with that of the node, up to where that has
    replayed, and `of_primary` with the oldest that the primary has; None if that was not tried.
    """

    origin: Origin
    command: str
    problem: str | None = None
    archive: Archive | None = None
    trial: WalTrial | None = None
    spread: tuple[FetchedWal, ...] = ()
    of_node: Likeness | None = None
    of_primary: Likeness | None = None


@record
class FromArchive:
    """The WAL that a standby gets from an archive before it can stream: `first` to `last`.

    `next_segment` is the number of the one after it, the oldest one that the primary must have.
    `timeline` is the one to which `last` belongs.
    """

    origin: Origin
    command: str
    first: str
    last: str
    files: int
    size_bytes: int
    next_segment: int
    timeline: TimelineId
    timeout_s: float


@record
class WalOfPrimary:
    """What a WAL file says of itself if it is the primary's."""

    history: History
    segment_bytes: int
    major: int
    system_identifier: str


@record
class FetchAhead:
    """How WAL is fetched from an archive before the server that replays it asks for it.

    `command` is the server's restore_command, and each call of it takes at most `timeout_s`. It
    brings the segments from `first` to `last`; `at_once` calls run at the same time, and at most
    `most` files wait for the server. The node itself has the segments from `kept_from` to `first`,
    without the latter.
    """

    command: str
    timeout_s: float
    kept_from: int
    first: int
    last: int
    at_once: int
    most: int
    of_primary: WalOfPrimary
