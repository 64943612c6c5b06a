"""Put in order the data directory that a command of the settings has made, or refuse it."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.agent.directory.own_files import own_entries
from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.agent.method.restore import lead_wal_to
from pgpool_recovery.domain.data_directory import (
    LINKS,
    REMOVED_FROM_MADE,
    UNSENT_DIRECTORIES,
    USUALLY_EMPTY,
    WAL,
    is_of_node,
)
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import Point, TimelineId, parse_lsn
from pgpool_recovery.facts.step.transfer import RunCommand
from pgpool_recovery.files.text import read_end, read_text
from pgpool_recovery.files.write import sync, write_file
from pgpool_recovery.host.version_file import VERSION_FILE

MANIFEST_END_BYTES = 65_536
RANGE = re.compile(
    r'\{\s*"Timeline": (\d+),\s*"Start-LSN": "([0-9A-F/]+)",\s*"End-LSN": "([0-9A-F/]+)"\s*\}'
)
SHOWN = 3


def put_in_order(step: RunCommand, what: str) -> None:
    """Put in order what a command has made; raise Undone if a server could not run on it.

    Nothing is changed before it is known that all of it is in the directories of this node.
    """
    new = Path(step.places.data.new)
    if not (new / VERSION_FILE).is_file():
        raise Undone(f"{what} has not made a data directory", detail=f"{new} has no PG_VERSION.")
    version = read_text(new / VERSION_FILE).strip()
    if version != str(step.major):
        raise Undone(
            f"{what} has made a data directory of PostgreSQL {version}",
            detail=f"The primary is PostgreSQL {step.major}.",
        )
    odd = list(_odd(step))
    if odd:
        more = f" These are the first {SHOWN} of {len(odd)} reasons." if len(odd) > SHOWN else ""
        raise Undone(
            f"{what} has made a data directory that a server must not use",
            detail=" ".join(odd[:SHOWN]) + more,
        )
    for name in REMOVED_FROM_MADE:
        remove(new / name)
    for name in (*UNSENT_DIRECTORIES, *USUALLY_EMPTY):
        _make(new / name, is_emptied=name in UNSENT_DIRECTORIES)
    for oid, location in step.locations.items():
        link = new / LINKS / str(oid)
        remove(link)
        link.symlink_to(location)
    if step.wal_directory is not None and not (new / WAL).is_symlink():
        lead_wal_to(Path(step.wal_directory), new / WAL)
    if stat.S_IMODE(new.stat().st_mode) & 0o7027:
        new.chmod(0o700)
    sync(new)


def _make(directory: Path, *, is_emptied: bool) -> None:
    """Make a directory with the mode of what contains it, or empty it."""
    if is_emptied and directory.is_symlink():  # Such as pg_stat_tmp on a RAM disk.
        remove(directory)
    if not directory.exists():
        directory.mkdir(mode=stat.S_IMODE(directory.parent.stat().st_mode) & 0o750)
    elif is_emptied:
        for entry in directory.iterdir():
            remove(entry)


def _odd(step: RunCommand) -> Iterator[str]:
    """Yield what must not be in a data directory of this node."""
    new, user = Path(step.places.data.new), os.geteuid()
    yield from _odd_tablespaces(step)
    wal = new / WAL
    if wal.is_symlink() and str(wal.readlink()) != step.wal_directory:
        yield f"{wal} is a link to {wal.readlink()}, which is not this node's WAL directory."
    if new.stat().st_uid != user:
        yield f"{new} belongs to another user."
        return
    own = {entry.name for entry in own_entries(new)}
    links = {WAL, *UNSENT_DIRECTORIES}
    for entry in sorted(_entries(new), key=lambda entry: entry.name):
        if not is_of_node(entry.name) and not (entry.is_symlink() and entry.name in links):
            is_tablespaces = entry.name == LINKS
            yield from _odd_files(entry, user, step, is_tablespaces=is_tablespaces)
        elif entry.name in own and entry.stat(follow_symlinks=False).st_uid != user:
            yield f"{entry.path} belongs to another user."
    for oid, location in step.locations.items():
        inside = _entries(location)
        for below in inside:
            yield from _odd_files(below, user, step, is_tablespaces=False)
        if not inside:
            yield f"Tablespace {oid} is empty: nothing is in {location}."


def _entries(directory: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as found:
        return list(found)


def _odd_files(
    entry: os.DirEntry[str], user: int, step: RunCommand, *, is_tablespaces: bool
) -> Iterator[str]:
    status = entry.stat(follow_symlinks=False)
    if status.st_uid != user:
        yield f"{entry.path} belongs to another user."
    elif stat.S_ISLNK(status.st_mode):
        yield f"{entry.path} is a link to {Path(entry.path).readlink()}."
    elif stat.S_ISDIR(status.st_mode):
        for below in _entries(entry.path):
            if not (is_tablespaces and below.is_symlink()):
                yield from _odd_files(below, user, step, is_tablespaces=False)
    elif not stat.S_ISREG(status.st_mode):
        yield f"{entry.path} is not a file."
    elif status.st_nlink > 1 and not step.method.keep_data:
        yield f"{entry.path} has a second name, so another server may write into it."


def _odd_tablespaces(step: RunCommand) -> Iterator[str]:
    """Yield tablespaces that the primary does not have, and those that are elsewhere.

    Replay of a base backup with other tablespaces than the primary's would create them where the
    primary has them.
    """
    spaces = Path(step.places.data.new) / LINKS
    found = sorted(spaces.iterdir()) if spaces.is_dir() else []
    for link in found:
        wanted = step.locations.get(int(link.name)) if link.name.isdigit() else None
        if wanted is None:
            yield f"{link} is a tablespace that the primary does not have."
        elif not link.is_symlink():
            yield f"{link} is not a link to {wanted}, where this tablespace must be."
    for oid, location in step.locations.items():
        if not (spaces / str(oid)).is_symlink() and not _entries(location):
            yield f"It lacks tablespace {oid}, which must be in {location}."


def write_label(directory: Path, label: str) -> None:
    """Write the backup_label of the backup in which the command has copied the files."""
    write_file(directory / "backup_label", label, mode=file_mode(directory))
    sync(directory)


def manifest_end(directory: Path, start: Point) -> Point | None:
    """Return where the base backup ended that a backup_manifest in the directory is of.

    None if there is none, or if it is of another backup than the one that begins at `start`.
    """
    try:
        text = read_end(directory / "backup_manifest", MANIFEST_END_BYTES)
    except OSError:
        return None
    _, is_there, ranges = text.rpartition('"WAL-Ranges"')
    found = RANGE.findall(ranges) if is_there else []
    if not found or start not in [_point(timeline, begin) for timeline, begin, _ in found]:
        return None
    timeline, _, end = max(found, key=lambda one: int(one[0]))
    return _point(timeline, end)


def _point(timeline: str, lsn: str) -> Point:
    return Point(TimelineId(int(timeline)), parse_lsn(lsn))
