"""Have a command of the settings make the data directory, and put what it made in order."""

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.agent.directory.own_files import own_entries, withdraw_own_files
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.agent.method.restore import lead_wal_to
from pgpool_recovery.domain.error import Undone, reason_of
from pgpool_recovery.domain.event import Emit, Progress, Said
from pgpool_recovery.domain.placeholder import filled
from pgpool_recovery.domain.wal import Point, TimelineId, parse_lsn
from pgpool_recovery.facts.step import RunCommand
from pgpool_recovery.files.text import read_end, read_text
from pgpool_recovery.files.trust import Untrusted, check_file, mine_and_roots
from pgpool_recovery.files.write import sync, write_file
from pgpool_recovery.host.data_directory import CLUSTER_ENTRIES
from pgpool_recovery.host.file_access import LINKS, UNSENT_DIRECTORIES, WAL
from pgpool_recovery.host.leftover_process import end_leftovers_with
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.version_file import VERSION_FILE
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME
from pgpool_recovery.postgres.conninfo import format_conninfo

NAME = "command"
PREFIX = "PGPOOL_RECOVERY_"
DIRECTORY = f"{PREFIX}DIRECTORY"
"""The variable by which the processes of a command are found, also after the agent is gone."""
CANNOT = 75
"""EX_TEMPFAIL of sysexits.h: the command could not make the data, and has changed nothing."""
PROGRESS = re.compile(r"progress: (\d{1,18}) (\d{1,18})")
END = re.compile(r"backup-end: (\d{1,10}) ([0-9A-F]{1,8}/[0-9A-F]{1,8})", re.IGNORECASE)
MANIFEST_END_BYTES = 65_536
RANGE = re.compile(
    r'\{\s*"Timeline": (\d+),\s*"Start-LSN": "([0-9A-F/]+)",\s*"End-LSN": "([0-9A-F/]+)"\s*\}'
)
LEFT_FILES = (
    PID_FILE_NAME,
    "postmaster.opts",
    "recovery.conf",
    "recovery.signal",
    "standby.signal",
    "tablespace_map",
)
"""What a server would take for its own past or future; the standby's own are written afterwards.

The locations in tablespace_map are those of the node that was backed up, and a server replaces the
links by them (read_tablespace_map in xlogrecovery.c).
"""
EMPTY_DIRECTORIES = ("pg_stat", LINKS, "pg_twophase", WAL)
"""Directories that backup programs may leave out because they are usually empty."""
FREE_LINES = 500
LINES_PER_S = 5.0
SHOWN = 3


class CouldNot(Exception):
    """The command says that it could not make the data and changed nothing."""

    def __init__(self, error: Undone) -> None:
        super().__init__(error.message)
        self.error = error


def look_for_programs(programs: tuple[str, ...]) -> tuple[str | None, ...]:
    """Return for each program why it cannot be run on this host; None if it can."""
    return tuple(map(_problem, programs))


def _problem(program: str) -> str | None:
    try:
        check_file(Path(program), mine_and_roots())
    except Untrusted as untrusted:
        return f"{untrusted.why}, so another user could decide what is run."
    except OSError as error:
        return f"{reason_of(error)}."
    return None if os.access(program, os.X_OK) else "It is not executable."


def run_command(step: RunCommand, own_login: OwnLogin, stop: Stop, emit: Emit) -> Point | None:
    """Run the command until it ends, and put in order what it made; return where its backup ends.

    None if it does not say so. Raises CouldNot if it has changed nothing; Undone if it fails, runs
    or is silent for too long, or if a server could not be started on what it made. Then none of its
    processes is left that it has not hidden by another user or another environment.
    """
    new, method = Path(step.places.data.new), step.method
    problem = _problem(method.command[0])
    if problem is not None:
        raise CouldNot(Undone(f"cannot run {method.command[0]}", detail=problem))
    end_leftovers_with(DIRECTORY, str(new))  # They are from an agent that was killed.
    _prepare(step)
    lines = Lines(emit, method.stall_s)
    with own_login.for_program(step.conninfo) as (conninfo, secrets):
        values = values_of(step, conninfo)
        variables = {f"{PREFIX}{name.upper()}": value for name, value in values.items()}
        try:
            said = run(
                filled(method.command, values),
                _Watch(stop, lines, method.name),
                # no limit: without timeout_s, it may run until it is cancelled
                timeout_s=method.timeout_s,
                on_line=lines.take,
                environment={**variables, **secrets},
                directory=str(new),
            )
        finally:
            lines.end()
            had_server = _end_all(step)
    what = f"the command of method {method.name}"
    if said.status == CANNOT:
        raise CouldNot(Undone(f"{what} could not make the data", detail=said.last_lines or None))
    said.check()
    if had_server:
        raise Undone(f"{what} left a server running in {new}", detail="It was ended.")
    settle(step, what)
    for directory in {str(new), *step.locations.values()}:
        # no limit: a disk takes as long as it takes, and a cancel ends the program
        run(["sync", "--file-system", directory], stop, timeout_s=None).check()
    return lines.backup_end


def values_of(step: RunCommand, conninfo: Mapping[str, str]) -> dict[str, str]:
    """Return what the command is told: as placeholders, and as environment variables."""
    method, places = step.method, step.places
    return {
        "method": method.name,
        "node": step.node,
        "directory": places.data.new,
        "data_directory": places.data.path,
        "keep_data": "yes" if method.keep_data else "no",
        "tablespaces": "\n".join(f"{oid}={where}" for oid, where in step.locations.items()),
        "primary_host": conninfo.get("host", ""),
        "primary_port": conninfo.get("port", ""),
        "primary_user": conninfo.get("user", ""),
        "primary_conninfo": format_conninfo(dict(conninfo)),
        "slot": step.slot_name,
        "system_identifier": step.system_identifier,
        "major": str(step.major),
        "bin_directory": step.bin_directory,
    }


class Lines:
    """What a command prints: it is passed on, but no faster than a person or a disk can take it."""

    def __init__(self, emit: Emit, stall_s: float | None) -> None:
        self._emit = emit
        self._began = self.last = time.monotonic()
        self._said = self._withheld = 0
        self.stall_s = stall_s
        self.backup_end: Point | None = None

    def take(self, line: str) -> None:
        """Pass a line on, or understand it."""
        self.last = time.monotonic()
        passed_s = self.last - self._began
        if found := PROGRESS.fullmatch(line.strip()):
            done_bytes, total_bytes = int(found[1]), int(found[2])
            self._emit(Progress(done_bytes, total_bytes, done_bytes / max(passed_s, 0.001)))
        elif found := END.fullmatch(line.strip()):
            self.backup_end = Point(TimelineId(int(found[1])), parse_lsn(found[2]))
        elif self._said < FREE_LINES + LINES_PER_S * passed_s:
            self._said += 1
            self._emit(Said(NAME, line))
        else:
            self._withheld += 1

    @property
    def silent_s(self) -> float:
        """How long it has printed nothing."""
        return time.monotonic() - self.last

    def end(self) -> None:
        """Report how much was not passed on."""
        if self._withheld:
            self._emit(Said(NAME, f"{self._withheld} more lines were not kept"))


class _Watch(Stop):
    """The agent's request to stop, and the limit for the silence of a command."""

    def __init__(self, stop: Stop, lines: Lines, name: str) -> None:
        super().__init__()
        self._stop = stop
        self._lines = lines
        self._name = name

    def got_on(self, count: int = 0) -> None:
        """Note that the command does something."""
        self._stop.got_on(count)

    def check(self) -> None:
        """Raise Cancelled when a stop was requested, and Undone when the command is silent."""
        self._stop.check()
        stall_s = self._lines.stall_s
        if stall_s is not None and self._lines.silent_s > stall_s:
            raise Undone(f"the command of method {self._name} printed nothing for {stall_s:g} s")


def _prepare(step: RunCommand) -> None:
    """Give the command its directories, without the files of the node that must survive it."""
    new = Path(step.places.data.new)
    make_directory(new)
    for location in step.locations.values():
        make_directory(Path(location))
    if not step.method.keep_data:
        for directory in (str(new), *step.locations.values()):
            if _entries(directory):  # What a full copy has left, for example, to go on from it.
                raise Undone(f"{directory} is not empty, so a command cannot be run there")
    if step.method.keep_data:
        remove(new / PID_FILE_NAME)  # A crash left it behind.
        withdraw_own_files(new)


def _end_all(step: RunCommand) -> bool:
    """End what the command has left running; return whether a server was."""
    new = step.places.data.new
    try:
        server = read_pid_file(Path(new))
        if server is not None:  # It then leaves no shared memory behind.
            run([f"{step.bin_directory}/pg_ctl", "stop", "-m", "immediate", "-D", new], Stop())
    finally:
        end_leftovers_with(DIRECTORY, new)
    return server is not None


def settle(step: RunCommand, what: str) -> None:
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
        more = f" There are {len(odd) - SHOWN} more." if len(odd) > SHOWN else ""
        raise Undone(
            f"{what} has made a data directory that a server must not use",
            detail=" ".join(odd[:SHOWN]) + more,
        )
    for name in LEFT_FILES:
        remove(new / name)
    for name in (*UNSENT_DIRECTORIES, *EMPTY_DIRECTORIES):
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
        if entry.name in CLUSTER_ENTRIES and not (entry.is_symlink() and entry.name in links):
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
