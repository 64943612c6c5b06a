"""Parse the names of relation files, and list those in a data directory (storage-file-layout)."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.sent_file import RELATION, is_of_relations
from pgpool_recovery.facts.facts import RelationSegment

DEFAULT_TABLESPACE, GLOBAL_TABLESPACE = 1663, 1664  # pg_tablespace.dat
FORKS = ("", "_fsm", "_vm", "_init")  # ForkNumber in relpath.h
DATABASE_PATTERN = re.compile(r"[0-9]+")

VOUCHED_FORKS: tuple[str, ...] = ("", "_init")
"""The forks whose unchanged blocks may be kept.

The visibility map is not among them: before the minor releases of August 2026 its bits were cleared
without a block reference in WAL, and WAL written by those releases will never have one. The free
space map is not in WAL at all, so the server always sends it whole.
"""


@record
class RelationFile:
    """What the name of a relation file says; `number` is the segment number."""

    relfilenode: int
    fork: str
    number: int


def parse_name(name: str) -> RelationFile | None:
    """Return what a file's name says, or None for other files, including temporary ones.

    >>> parse_name("16384_vm.2")
    RelationFile(relfilenode=16384, fork='_vm', number=2)
    >>> parse_name("t3_16384")
    """
    match = RELATION.fullmatch(name)
    if match is None:
        return None
    return RelationFile(int(match[1]), match[2] or "", int(match[3] or 0))


def parse_path(path: str) -> RelationFile | None:
    """Return what a path relative to the data directory says, or None for other files.

    >>> parse_path("base/5/1259.1")
    RelationFile(relfilenode=1259, fork='', number=1)
    >>> parse_path("pg_xact/0000")
    """
    directory, _, name = path.rpartition("/")
    return parse_name(name) if is_of_relations(directory) else None


def path_of(segment: RelationSegment, version_directory: str) -> str:
    """Return the path of a segment relative to the data directory, as in a manifest.

    >>> path_of(RelationSegment(1663, 5, 16384, fork=0, segment=2), "PG_17_202406281")
    'base/5/16384.2'
    >>> path_of(RelationSegment(16400, 5, 16384, fork=3, segment=0), "PG_17_202406281")
    'pg_tblspc/16400/PG_17_202406281/5/16384_init'
    """
    name = f"{segment.relfilenode}{FORKS[segment.fork]}"
    if segment.segment > 0:
        name += f".{segment.segment}"
    if segment.tablespace == GLOBAL_TABLESPACE:
        return f"global/{name}"
    if segment.tablespace == DEFAULT_TABLESPACE:
        return f"base/{segment.database}/{name}"
    return f"pg_tblspc/{segment.tablespace}/{version_directory}/{segment.database}/{name}"


def vouched_paths(
    data_directory: Path, tablespaces: Mapping[int, Path], version_directory: str
) -> Iterator[str]:
    """Yield the paths of all files whose unchanged blocks may be kept.

    `tablespaces` are their real directories by OID. Raises Refused if there is a symbolic link: a
    block that is written through it might end up in another server's files.
    """
    yield from _in_directory(data_directory / "global", "global")
    yield from _in_databases(data_directory / "base", "base")
    for oid, location in tablespaces.items():
        path = f"pg_tblspc/{oid}/{version_directory}"
        yield from _in_databases(location / version_directory, path)


def _in_databases(directory: Path, path: str) -> Iterator[str]:
    for entry in _entries(directory):
        if DATABASE_PATTERN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            yield from _in_directory(Path(entry.path), f"{path}/{entry.name}")


def _in_directory(directory: Path, path: str) -> Iterator[str]:
    for entry in _entries(directory):
        file = parse_name(entry.name)
        if file is not None and file.fork in VOUCHED_FORKS and entry.is_file(follow_symlinks=False):
            yield f"{path}/{entry.name}"


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    if not directory.is_dir():
        return
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise Refused(
                    f"{entry.path} is a symbolic link",
                    detail="The server itself creates none below base, global and tablespaces.",
                    hint="Replace the link by the file or directory itself, or make a full copy.",
                )
            yield entry
