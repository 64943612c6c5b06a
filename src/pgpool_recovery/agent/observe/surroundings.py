"""Observe for a check what is on a node's host: its server, scripts, files and permissions."""

import os
import re
import shlex
import stat
from pathlib import Path

from pgpool_recovery.agent.directory.own_login import own_server_words
from pgpool_recovery.config.load import load_settings, settings_file
from pgpool_recovery.domain.error import RecoveryError, reason_of
from pgpool_recovery.facts.facts import Slot
from pgpool_recovery.facts.node import (
    SETTINGS,
    Archiver,
    Confinement,
    ServerFacts,
    StageScript,
    Surroundings,
)
from pgpool_recovery.files.text import read_text, text_of
from pgpool_recovery.host.confinement import confinement_of
from pgpool_recovery.host.pidfile import PidFile, read_pid_file
from pgpool_recovery.in_server.stage_script import faults_of_script
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.talk.request.host import LookAround

ANSWER_S = 30.0
OURS = re.compile(r"Part of pgpool-recovery\. Version (\S+)\. ")
"""As written by install/stage_commands.py (test_scripts_that_install_places_are_known_as_ours)."""
CALLS = re.compile(r"^(?:\S+=.* )?exec (.+)", re.MULTILINE)
"""The line of such a script that calls our command."""
READ_BYTES = 1024
SYSTEM = "$system"
"""In a search path of PostgreSQL: where its own files are."""
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""With any of these, libpq ignores a password file (passwordFromFile in fe-connect.c)."""


def look_around(request: LookAround, connect_s: float) -> Surroundings:
    """Return the facts about this host other than its data; nothing is changed."""
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


def confinement_of_server(data: Path) -> Confinement | None:
    """Return how SELinux confines the server of a data directory; None if none runs."""
    running = read_pid_file(data) if os.access(data, os.R_OK | os.X_OK) else None
    return None if running is None else confinement_of(running.pid)


def look_at_script(data: Path, name: str) -> StageScript:
    """Return the facts about a stage script, from the file as it is now."""
    text = _begin_of(data / name) or ""
    match = OURS.search(text)
    problem = script_problem(data, name) or (_call_problem(text) if match else None)
    return StageScript(name, problem, match[1] if match else None)


def _call_problem(text: str) -> str | None:
    """Return what is wrong with the program that a script of ours calls, such as a removed venv."""
    match = CALLS.search(text)
    try:
        words = [] if match is None else shlex.split(match[1])
    except ValueError:  # Somebody has edited it.
        return None
    program = Path(*words[:1])
    if not program.is_absolute() or os.access(program, os.X_OK):
        return None
    why = "cannot be run" if os.path.lexists(program) else "does not exist"
    return f"it calls {program}, which {why}"


def _begin_of(path: Path) -> str | None:
    """Return the start of a regular file; None if there is none that can be read.

    Opening anything else, such as a FIFO, does not wait.
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
    """Return what prevents the server from running a script, except for its filesystem."""
    try:
        faults = faults_of_script(str(data), name, (data / name).stat())
        why = next((fault.why for fault in faults if not fault.is_of_filesystem), None)
    except FileNotFoundError:
        return "it does not exist"
    except OSError as error:
        return f"it cannot be examined: {reason_of(error)}"
    return None if why is None else f"it {why}"


def _ask(
    running: PidFile, request: LookAround, connect_s: float
) -> tuple[ServerFacts | None, str | None]:
    """Log in to this host's server as the stage commands will after a failover to it."""
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
        extension=extension_in(
            row["share_directory"], row["settings"].get("extension_control_path", SYSTEM)
        ),
        archiver=_archiver(connection),
    )


def _archiver(connection: Connection) -> Archiver | None:
    for row in connection.rows("archiver"):
        return Archiver(row["failing"], row["failures"], tuple(row["waiting_histories"]))
    return None


def extension_in(share_directory: str, search_path: str) -> str | None:
    """Return the version of our extension that CREATE EXTENSION would find first.

    `search_path` is extension_control_path, since PostgreSQL 18.
    """
    for named in (search_path or SYSTEM).split(":"):
        directory = named.replace(SYSTEM, share_directory, 1)
        try:
            text = read_text(Path(directory, "extension", "pgpool_recovery.control"))
        except OSError:
            continue
        match = re.search(r"^\s*default_version\s*=\s*'([^']+)'", text, re.MULTILINE)
        return match[1] if match else None
    return None


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
        return error.in_a_line
    return None
