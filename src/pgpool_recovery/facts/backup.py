"""The backup in a pgBackRest repository, as the target sees it."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.archived_history import ArchivedHistory


@record
class Repository:
    """What pgBackRest reports of the newest backup that a restore on the target would use.

    `start` and `stop` are its WAL positions. A standby that is restored from it needs all WAL since
    `start`, from the archive (whose last WAL file is `archived`) or from the primary. `histories`
    are the newest history files of the archive.
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
    """The backup that a restore on the target would use, as the target sees it.

    `program` is the path of pgbackrest on the target, and `repo` is the number of the repository in
    its configuration. A standby that is restored from the backup waits `answer_s` seconds for a
    repository that does not answer.
    """

    program: str
    repo: int
    repository: Repository
    major: int
    tablespaces: tuple[BackupTablespace, ...]
    answer_s: float = 10.0


@record
class NoBackup:
    """Why the target sees no backup; in messages `problem` follows the name of the node."""

    problem: str
    detail: str | None = None
    hint: str | None = None
    is_unreachable: bool = False


@record
class Restoration:
    """A backup, and where it is restored.

    It is restored into `directory`, which may hold old data, and will be started as
    `data_directory`. `locations` has the location of each tablespace of the backup by OID. The WAL
    goes to `wal_directory` if that is outside the data directory; None otherwise.
    """

    backup: Backup
    directory: str
    data_directory: str
    wal_directory: str | None
    locations: dict[int, str]
