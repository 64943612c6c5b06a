"""What a check asks of a node's host: the server's own words, scripts, files and their rights."""

import errno
import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.agent.directory.own_login import own_server_words
from pgpool_recovery.config.load import load_settings, settings_file
from pgpool_recovery.domain.error import RecoveryError, reason_of
from pgpool_recovery.facts.facts import Slot
from pgpool_recovery.facts.node import (
    SETTINGS,
    Archiver,
    ServerFacts,
    StageScript,
    Surroundings,
)
from pgpool_recovery.files.text import read_text, text_of
from pgpool_recovery.host.pidfile import PidFile, read_pid_file
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.talk.protocol import LookAround

ANSWER_S = 30.0
OURS = re.compile(r"Part of pgpool-recovery\. Version (\S+)\. ")
"""What install/stage_commands.py writes (test_scripts_that_install_places_are_known_as_ours)."""
READ_BYTES = 1024
ROOT = 0
MAX_LINKS = 40  # As many as Linux follows (path_resolution(7)).
EXECUTABLE_BY_ANYONE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""A password file with any of these libpq does not read (passwordFromFile in fe-connect.c)."""


def look_around(request: LookAround, connect_s: float) -> Surroundings:
    """Return what is on this host besides the data; changes nothing."""
    data = Path(request.data_directory).resolve()
    running = read_pid_file(data) if os.access(data, os.R_OK | os.X_OK) else None
    server, problem = (None, None) if running is None else _ask(running, request, connect_s)
    return Surroundings(
        server=server,
        server_problem=problem,
        scripts=tuple(look_at_script(data, name) for name in request.scripts),
        is_noexec=data.exists() and bool(os.statvfs(data).f_flag & os.ST_NOEXEC),
        open_password_file=_open_password_file(),
        settings_problem=_settings_problem(),
    )


def look_at_script(data: Path, name: str) -> StageScript:
    """Return a stage script, read by the file that it is now."""
    text = _begin_of(data / name)
    match = None if text is None else OURS.search(text)
    return StageScript(name, script_problem(data, name), match[1] if match else None)


def _begin_of(path: Path) -> str | None:
    """Return the begin of a file; None where there is none that can be read.

    What is no regular file is not waited for.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as script:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return text_of(script.read(READ_BYTES))
    except OSError:
        return None


def script_problem(data: Path, name: str) -> str | None:
    """Say what keeps the server from running a script.

    The rules are those of extension/python's script_file, which cannot be imported here
    (tests/unit/extension/test_script_file.py holds both to the same).
    """
    path = data / name
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "it is not a regular file"
        if not _is_trusted(status):
            return "it does not belong to the user of the server"
        if is_open(status):
            return "it can be written by others"
        if not _is_executable(path, status):
            return "it is not executable"
        if any(map(_is_open_to_others, places_on_the_way(data, name))):
            return "it can be replaced by others"
    except FileNotFoundError:
        return "it does not exist"
    except OSError as error:
        return f"it cannot be looked at: {reason_of(error)}"
    return None


def places_on_the_way(data: Path, name: str) -> Iterator[Path]:
    """Yield the directories and links that decide which file a script in a data directory is."""
    data_directory = data.resolve()
    at, rest = data_directory, name.split("/")
    links = 0
    while rest:
        part = rest.pop(0)
        if part == "..":
            at = at.parent
            continue
        yield from _with_those_above(at, data_directory)
        entry = at / part
        if not entry.is_symlink():
            at = entry
            continue
        yield entry
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = str(entry.readlink())
        rest = [word for word in target.split("/") if word not in ("", ".")] + rest
        at = Path("/") if target.startswith("/") else at


def _with_those_above(directory: Path, data_directory: Path) -> Iterator[Path]:
    """Yield a directory and those that hold it, up to the data directory or the root."""
    for one in (directory, *directory.parents):
        yield one
        if one == data_directory:
            return


def _is_open_to_others(place: Path) -> bool:
    """Say whether somebody else decides where a directory or a link on the way leads."""
    status = place.lstat()
    is_open_directory = stat.S_ISDIR(status.st_mode) and is_open(status)
    return not _is_trusted(status) or (is_open_directory and not status.st_mode & stat.S_ISVTX)


def is_open(status: os.stat_result) -> bool:
    """Say whether others than this user and root may write to a file or a directory."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_own_group(status.st_gid)


def _is_own_group(gid: int) -> bool:
    """Say whether a group is this user's own, and has no other member but root."""
    own = os.geteuid()
    try:
        user = pwd.getpwuid(own)
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        return False
    also = {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid}
    trusted = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid in (own, ROOT)}
    return gid == user.pw_gid and (members | also) <= trusted


def _is_executable(path: Path, status: os.stat_result) -> bool:
    """Say whether its mode lets the server execute it; what its filesystem lets, is asked apart."""
    is_noexec = bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    return bool(status.st_mode & EXECUTABLE_BY_ANYONE) and (is_noexec or os.access(path, os.X_OK))


def _is_trusted(status: os.stat_result) -> bool:
    return status.st_uid in (os.geteuid(), ROOT)


def _ask(
    running: PidFile, request: LookAround, connect_s: float
) -> tuple[ServerFacts | None, str | None]:
    """Log in to the server of this host as the stage commands would, after a failover to it."""
    user = {} if request.user is None else {"user": request.user}
    where = {"host": running.host, "port": str(running.port), "dbname": request.dbname}
    own = {**where, **own_server_words(running.host), **user}
    try:
        with connect(
            own, timeout_s=connect_s, answer_s=ANSWER_S, name="the node's own server"
        ) as connection:
            return _server(connection), None
    except RecoveryError as error:
        return None, error.detail or error.message


def _server(connection: Connection) -> ServerFacts:
    row = connection.row("server", names=list(SETTINGS))
    library = Path(row["library_directory"], "plpython3.so")
    return ServerFacts(
        version=row["version"],
        is_in_recovery=row["is_in_recovery"],
        settings=row["settings"],
        slots=tuple(Slot(**slot) for slot in connection.rows("server_slots")),
        has_python=library.exists(),
        extension=_extension(Path(row["share_directory"], "extension")),
        archiver=_archiver(connection),
    )


def _archiver(connection: Connection) -> Archiver | None:
    for row in connection.rows("archiver"):
        return Archiver(row["failing"], row["failures"], tuple(row["waiting_histories"]))
    return None


def _extension(directory: Path) -> str | None:
    try:
        text = read_text(directory / "pgpool_recovery.control")
    except OSError:
        return None
    match = re.search(r"^\s*default_version\s*=\s*'([^']+)'", text, re.MULTILINE)
    return match[1] if match else None


def _open_password_file() -> str | None:
    file = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
    try:
        mode = file.stat().st_mode
    except OSError:
        return None
    is_open = stat.S_ISREG(mode) and mode & OPEN_TO_OTHERS
    return f"{file} (mode {stat.S_IMODE(mode):04o})" if is_open else None


def _settings_problem() -> str | None:
    try:
        load_settings(settings_file(None))
    except RecoveryError as error:
        return f"{error.message}: {error.detail}" if error.detail else error.message
    return None
