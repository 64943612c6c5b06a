"""The backup in a pgBackRest repository, as the target sees it."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.archived_history import ArchivedHistory


@record
class Repository:
    """What pgBackRest says of the newest backup that a restore on the target would use.

    `start` and `stop` are its WAL positions; a standby that is made of it needs all WAL from
    `start` on, from the archive (`archived`: the last WAL file there) or from the primary.
    `histories` are the newest history files of the archive.
    """

    stanza: str
    label: str
    start: Point
    stop: Point
    system_identifier: str
    size_bytes: int
    archived: str | None
    histories: tuple[ArchivedHistory, ...] = ()


@record
class BackupTablespace:
    """A tablespace of a backup, and its location on the node that was backed up."""

    oid: int
    name: str
    location: str


@record
class Backup:
    """The backup that a restore on the target would take, as the target sees it.

    `program` is pgbackrest on the target, `repo` the number by which its configuration knows the
    repository. `answer_s`: how long a standby that is made of it waits for a silent repository.
    """

    program: str
    repo: int
    repository: Repository
    major: int
    tablespaces: tuple[BackupTablespace, ...]
    answer_s: float = 10.0


@record
class NoBackup:
    """Why the target sees no backup: `problem` goes on where a message has named the node."""

    problem: str
    detail: str | None = None
    hint: str | None = None
    is_unreachable: bool = False


@record
class Restoration:
    """A backup, and where it goes.

    It is restored into `directory`, which may hold old data, and will be started as
    `data_directory`. `locations` has every tablespace of the backup by its OID. Its WAL is in
    `wal_directory` when that is not a directory of its own.
    """

    backup: Backup
    directory: str
    data_directory: str
    wal_directory: str | None
    locations: dict[int, str]
