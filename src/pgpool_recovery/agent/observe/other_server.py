"""Find out whether a WAL directory or a tablespace of the target is that of another server.

Two nodes on one host come to share one when the data directory of the one is a copy of the other's
that was made with its links (``cp -a``). Every method would empty it, or replace it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.data_directory import LINKS, WAL
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.facts import FileIdentity, PlaceFacts
from pgpool_recovery.files.process_table import processes
from pgpool_recovery.host.command_line import directory_of_last_start
from pgpool_recovery.host.filesystem import identity_of, may_be_looked_at
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.version_file import VERSION_FILE
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME

MOST_BESIDE = 1000
"""How many directories beside the data directory are looked at."""


def see_others(data: Path) -> Callable[[PlaceFacts], PlaceFacts]:
    """Return what adds to a place of this data directory (resolved) whether another server has it.

    Found are places inside another data directory, those of servers that run as our user on this
    host, and those of stopped servers that are near: the one of which this directory is a copy, or
    one beside it. A directory that merely has the same links may be an old copy that nobody needs;
    it counts as a server's only if a server was last started there.
    """
    used = _used(data)

    def see(place: PlaceFacts) -> PlaceFacts:
        found = None if place.identity is None else used.get(place.identity)
        return replace(place, other_server=found or _around(Path(place.path), data))

    return see


def _used(data: Path) -> Mapping[FileIdentity, str]:
    """Return which data directory each WAL and tablespace directory of the other servers is of."""
    found = {}
    for other in (*_stopped(data), *_running(data)):
        for directory in (other / WAL, *(other / LINKS).glob("*/PG_*")):
            identity = identity_of(directory)
            if identity is not None:
                found[identity] = str(other)
    return found


def _stopped(data: Path) -> Iterator[Path]:
    """Yield the data directories of other servers that need not be running.

    Beside the data, other hosts may be mounted, one of which no longer answers.
    """
    own, may_be = identity_of(data), may_be_looked_at(data)
    for directory in filter(_is_ours, filter(may_be, _near(data))):
        started = directory_of_last_start(directory)
        if started is None or not may_be(started):
            continue
        is_there = identity_of(started) == identity_of(directory)
        if is_there and _is_data_directory(directory) and identity_of(directory) != own:
            yield directory


def _is_ours(directory: Path) -> bool:
    """Return whether our user owns it: what others write is not read."""
    try:
        return directory.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _near(data: Path) -> Iterator[Path]:
    """Yield where another server may have its data: as in /srv/data2, /srv/node2/data, 16/main."""
    original = directory_of_last_start(data)
    if original is not None:
        yield original
    with suppress(OSError):
        yield from islice(data.parent.iterdir(), MOST_BESIDE)
    with suppress(OSError):
        for beside in islice(data.parent.parent.iterdir(), MOST_BESIDE):
            yield beside / data.name


def _running(data: Path) -> Iterator[Path]:
    """Yield the data directories of the other servers: each process of one works in it."""
    own = identity_of(data)
    for directory in sorted(set(_working_directories())):
        if identity_of(directory) != own and (directory / PID_FILE_NAME).exists():
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
        if parent != data and _is_data_directory(parent):
            return str(parent)
    return None


def _is_data_directory(directory: Path) -> bool:
    marks = (directory / VERSION_FILE, directory / CONTROL_FILE)
    return all(os.access(mark, os.F_OK) for mark in marks)
