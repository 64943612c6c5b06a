"""Find out whether a WAL directory or a tablespace of the target is that of another server.

Two nodes on one host come to share one when the data directory of the one is a copy of the other's
that was made with its links (``cp -a``). Every method would empty it, or replace it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.data_directory import LINKS, WAL
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.facts import FileIdentity, PlaceFacts
from pgpool_recovery.files.process_table import processes
from pgpool_recovery.host.filesystem import identity_of
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.version_file import VERSION_FILE
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME


def see_others(data: Path) -> Callable[[PlaceFacts], PlaceFacts]:
    """Return what adds to a place of this data directory (resolved) whether another server has it.

    That is known of a place inside another data directory, and of one that a server uses which runs
    as our user on this host. A server that is stopped, and whose own links lead to the same place,
    is not found: its directory may as well be an old copy that nobody needs.
    """
    used = _used(data)

    def see(place: PlaceFacts) -> PlaceFacts:
        found = None if place.identity is None else used.get(place.identity)
        return replace(place, other_server=found or _around(Path(place.path), data))

    return see


def _used(data: Path) -> Mapping[FileIdentity, str]:
    """Return which data directory each WAL and tablespace directory of the other servers is of."""
    found = {}
    for other in _running(data):
        for directory in (other / WAL, *(other / LINKS).glob("*/PG_*")):
            identity = identity_of(directory)
            if identity is not None:
                found[identity] = str(other)
    return found


def _running(data: Path) -> Iterator[Path]:
    """Yield the data directories of the other servers: each process of one works in it."""
    for directory in sorted(set(_working_directories())):
        if directory != data and (directory / PID_FILE_NAME).exists():
            try:
                server = read_pid_file(directory)
            except Refused:  # No server of our user has written it.
                continue
            if server is not None:
                yield directory


def _working_directories() -> Iterator[Path]:
    user = os.geteuid()
    for process in processes():
        if process.owner == user:
            try:
                yield (process.directory / "cwd").readlink()
            except OSError:  # It has ended, or is not ours to see.
                continue


def _around(place: Path, data: Path) -> str | None:
    """Return the data directory, other than this one, that a place lies in."""
    for parent in place.parents:
        marks = (parent / VERSION_FILE, parent / CONTROL_FILE)
        if parent != data and all(os.access(mark, os.F_OK) for mark in marks):
            return str(parent)
    return None
