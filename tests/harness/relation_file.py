"""The files in a data directory that hold relations, tablespaces included, and transactions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from .block import Segments
from .machine import Machine
from .postgresql import Server

# Not those of temporary relations (t3_16384), nor caches that each server builds for itself.
_FILE = re.compile(r"(?P<number>\d+)(_(?P<fork>vm|init|fsm))?(\.(?P<segment>\d+))?")
_DATABASE_FILES = ("PG_VERSION", "pg_filenode.map")
_TABLESPACES = "pg_tblspc"
_TRANSACTION_DIRECTORIES = (
    "pg_xact",
    "pg_multixact/offsets",
    "pg_multixact/members",
    "pg_twophase",
)


@dataclass(frozen=True, order=True)
class ForkPath:
    """A fork: the path of the relation's main fork in the data directory; main, vm or init."""

    relation: str
    fork: str

    @property
    def number(self) -> int:
        return int(PurePath(self.relation).name)

    @property
    def database_oid(self) -> int:
        """The OID in the name of its directory; 0 for shared relations."""
        name = PurePath(self.relation).parent.name
        return int(name) if name.isdigit() else 0


@dataclass(frozen=True)
class RelationFiles:
    """Segments of each fork, by number; and the other files that belong to a database."""

    forks: dict[ForkPath, Segments] = field(default_factory=dict)
    database_files: dict[str, Path] = field(default_factory=dict)


def find_relation_files(server: Server) -> RelationFiles:
    """Return all files by their paths in the data directory, without free space maps."""
    found = RelationFiles()
    for inside, directory in _database_directories(server):
        for file in directory.iterdir():
            _sort_in(found, inside, file)
    return found


def find_transaction_files(server: Server) -> dict[str, Path]:
    """Return the files that record the status of transactions, by their paths in the directory."""
    machine, data_directory = server.machine, server.data_directory
    return {
        f"{name}/{file.name}": file
        for name in _TRANSACTION_DIRECTORIES
        for file in machine.path(data_directory / name).iterdir()
    }


def tablespaces(server: Server) -> set[str]:
    """Return the names of the links to tablespaces, which are their OIDs."""
    links = server.machine.path(server.data_directory / _TABLESPACES)
    return {link.name for link in links.iterdir()}


def _sort_in(found: RelationFiles, inside: str, file: Path) -> None:
    if file.name in _DATABASE_FILES:
        found.database_files[f"{inside}/{file.name}"] = file
        return
    name = _FILE.fullmatch(file.name)
    if name is None or name["fork"] == "fsm":
        return
    path = ForkPath(f"{inside}/{name['number']}", name["fork"] or "main")
    found.forks.setdefault(path, {})[int(name["segment"] or 0)] = file


def _database_directories(server: Server) -> Iterator[tuple[str, Path]]:
    """Yield each directory with relations: its path in the data directory, and where it is."""
    machine, data_directory = server.machine, server.data_directory
    yield "global", machine.path(data_directory / "global")
    for directory in _directories_in(machine.path(data_directory / "base")):
        yield f"base/{directory.name}", directory
    for link in machine.path(data_directory / _TABLESPACES).iterdir():
        for version in _directories_in(_target(machine, link)):
            for directory in _directories_in(version):
                yield f"{_TABLESPACES}/{link.name}/{version.name}/{directory.name}", directory


def _target(machine: Machine, link: Path) -> Path:
    """Follow the link on the machine: its target is a path of that machine, not of ours."""
    return machine.path(link.readlink()) if link.is_symlink() else link


def _directories_in(directory: Path) -> list[Path]:
    """Return the directories of databases, or of versions in a tablespace; skip pgsql_tmp."""
    return [entry for entry in directory.iterdir() if re.fullmatch(r"\d+|PG_\d.*", entry.name)]
