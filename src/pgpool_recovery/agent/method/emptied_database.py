"""Find the databases that replay would empty in a directory whose files are newer than its start.

ALTER DATABASE ... SET TABLESPACE, and CREATE DATABASE with the strategy file_copy (the only one up
to 14), are in the WAL as "copy this directory". Replay removes the copy that is there, and makes it
again from the original. If that has been moved or dropped since, PostgreSQL silently takes an empty
directory in its place (dbase_redo in src/backend/commands/dbcommands.c). That happens to what
pg_rewind leaves: it copies the files as they are now, and the WAL since the fork is replayed onto
them (findings/rewind_loses_a_moved_database.sh).
"""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePath

from pgpool_recovery.agent.directory.history_file import read_history
from pgpool_recovery.agent.directory.wal_records import Stretch, dump_records, runs
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.wal import History, TimelineId
from pgpool_recovery.files.text import read_text
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.version_file import read_major

DEFAULT_TABLESPACE = 1663
"""The OID of pg_default (src/include/catalog/pg_tablespace.dat)."""
COPIED = re.compile(
    r"rmgr: Database .*, desc: CREATE(?:_FILE_COPY)? copy dir (\d+)/(\d+) to (\d+)/(\d+)"
)
CREATED = re.compile(r"rmgr: Database .*, desc: CREATE_WAL_LOG create dir (\d+)/(\d+)")
"""What pg_waldump prints (src/backend/access/rmgrdesc/dbasedesc.c)."""
END_OF_WAL = re.compile(
    r"error in WAL record at|could not find a valid record|could not (?:find|open|locate)"
)
"""With one of these it fails where the WAL ends, or where the directory has no more of it."""
OPTIONS = ("--rmgr", "Database")
BACKUP_LABEL = "backup_label"
MAX_LABEL_BYTES = 64 * 1024

Database = tuple[int, int]
"""The OIDs of its tablespace and of the database itself."""


def emptied_databases(
    directory: Path, bin_directory: str, timelines: Iterable[TimelineId], stop: Stop
) -> list[str]:
    """Return the directories of databases that replay from the backup_label on would empty.

    `timelines` are those of the primary's history. The WAL that is not in pg_wal is not read.
    Raises Undone when pg_waldump fails otherwise.
    """
    try:
        label = read_text(directory / BACKUP_LABEL, MAX_LABEL_BYTES)
    except FileNotFoundError:  # There was nothing to rewind, so no file is newer.
        return []
    start = parse_backup_label(label)
    history = _history(directory, max(timelines))
    lines = list[str]()
    for timeline in history.timelines:
        if timeline < start.timeline:
            continue
        begin = max(start.lsn, history.begin_of(timeline))
        for run in runs(directory, Stretch(timeline, begin, history.end_of(timeline))):
            # no limit: the runner ends a step that makes no progress for stall_s
            completed = dump_records(
                directory, bin_directory, run, OPTIONS, stop, timeout_s=None, on_line=lines.append
            )
            if completed is not None and END_OF_WAL.search(completed.output) is None:
                completed.check()
    there = {(tablespace, oid): path for tablespace, oid, path in _databases(directory)}
    return [there[one] for one in emptied(lines, there)]


def emptied(lines: Iterable[str], there: Collection[Database]) -> list[Database]:
    """Return which of the databases that are `there` replay of these records would empty.

    >>> moved = "rmgr: Database …, desc: CREATE_FILE_COPY copy dir 1663/5 to 16388/5"
    >>> made = "rmgr: Database …, desc: CREATE_WAL_LOG create dir 1663/5"
    >>> emptied([moved], [(1663, 1), (16388, 5)]), emptied([made, moved], [(16388, 5)])
    ([(16388, 5)], [])
    """
    whole, lost = set(there), dict[Database, None]()
    for line in lines:
        if match := CREATED.fullmatch(line):
            made = (int(match[1]), int(match[2]))
            whole.add(made)
            lost.pop(made, None)
        elif match := COPIED.fullmatch(line):
            original, copy = (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))
            if original in whole:
                whole.add(copy)
                lost.pop(copy, None)
            elif copy in whole:
                whole.discard(copy)
                lost[copy] = None
    return [one for one in lost if one in there]


def _history(directory: Path, current: TimelineId) -> History:
    if current == 1:
        return History(current)
    return read_history(directory / "pg_wal" / f"{current:08X}.history", current)


def _databases(directory: Path) -> Iterator[tuple[int, int, str]]:
    """Yield the databases; pg_upgrade may have left those of an older major in a tablespace."""
    versions = (directory / "pg_tblspc").glob(f"*/PG_{read_major(directory)}_*")
    others = [(int(one.parent.name), one.relative_to(directory)) for one in versions]
    for tablespace, place in [(DEFAULT_TABLESPACE, PurePath("base")), *others]:
        for entry in (directory / place).iterdir():
            if entry.name.isdecimal() and (entry / "PG_VERSION").exists():
                yield tablespace, int(entry.name), str(place / entry.name)
