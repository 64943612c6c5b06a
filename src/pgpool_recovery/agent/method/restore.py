"""Bring a directory of the target to the newest backup of a pgBackRest repository."""

import shutil
import time
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import write_standby_settings
from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.agent.directory.workspace import NOT_DATA, make_directory, remove
from pgpool_recovery.agent.method.repository import archived_histories
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.control_data import parse_control_data
from pgpool_recovery.domain.error import Refused, Undone
from pgpool_recovery.domain.event import Emit, Moved, Progress, Said
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.backup import Backup, NoBackup, Restoration
from pgpool_recovery.files.text import read_text
from pgpool_recovery.files.write import move, sync, write_file
from pgpool_recovery.host.leftover_process import end_leftovers
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.program import Completed, run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME
from pgpool_recovery.pgbackrest.command import (
    archive_get,
    info_words,
    into,
    limit_variables,
    repository_words,
    restore_words,
)
from pgpool_recovery.pgbackrest.info import read_newest, read_tablespaces
from pgpool_recovery.pgbackrest.output import read_error, read_file_line, read_told_line

NAME = "pgbackrest"
ANSWER_S = 30.0
ARCHIVE_S = 10.0
MARGIN_S = 5.0
"""What pgbackrest may take longer than its own limit, to say what it has waited for."""
TRIES = 3
"""How often pgbackrest tries a file, each time until its own limit (its option job-retry)."""
TOLD_EVERY_S = 5.0
MANIFEST = "backup.manifest"
"""Pgbackrest's mark of a restore that was not finished; it is removed at the end."""


def observe_repository(
    stanza: str, stop: Stop, *, timeout_s: float = ANSWER_S, archive_s: float = ARCHIVE_S
) -> Backup | NoBackup:
    """Return the backup that a restore on this host would take, or why there is none.

    Asks twice, each time for at most `timeout_s` and a margin, then for the history files of the
    archive, each time for at most `archive_s` and a margin; changes nothing.
    """
    program = shutil.which(NAME)
    if program is None:
        return NoBackup(
            "there is no pgbackrest", hint="Install it on that host, on the PATH of the agent."
        )
    said = _ask(info_words(program, stanza, protocol_timeout_s=timeout_s), stop, timeout_s)
    if isinstance(said, NoBackup):
        return said
    newest = read_newest(said.output, stanza)
    if isinstance(newest, NoBackup):
        return newest
    one = (newest.repo, newest.repository.label)
    words = info_words(program, stanza, protocol_timeout_s=timeout_s, of=one)
    said = _ask(words, stop, timeout_s)
    if isinstance(said, NoBackup):
        return said
    tablespaces = read_tablespaces(said.output)
    if isinstance(tablespaces, NoBackup):
        return tablespaces

    def ask(repo: int, command: list[str]) -> Completed | NoBackup:
        own = repository_words(program, stanza, protocol_timeout_s=archive_s, repo=repo)
        return _ask([*own, *command], stop, archive_s)

    histories = archived_histories(stanza, newest.archives, ask)
    if isinstance(histories, NoBackup):
        return histories
    repository = replace(newest.repository, histories=histories)
    return Backup(program, newest.repo, repository, newest.major, tablespaces, answer_s=archive_s)


def _ask(words: list[str], stop: Stop, timeout_s: float) -> Completed | NoBackup:
    """Ask; a configuration that cannot be read, or a lock, is an exit status."""
    command = next(word for word in words[1:] if not word.startswith("-"))
    hint = f"Try pgbackrest {command} there, as the user that runs PostgreSQL."
    try:
        said = run(
            words, stop, timeout_s=timeout_s + MARGIN_S, environment=limit_variables(timeout_s)
        )
    except Undone as error:
        return NoBackup(error.message, error.detail, hint, is_unreachable=True)
    if said.status != 0:
        return NoBackup(f"pgbackrest {command} failed", said.last_lines, hint)
    return said


def archive_settings(backup: Backup, data_directory: str) -> dict[str, str]:
    """Return what a standby made of a backup needs beside the settings of every standby.

    Between the backup and the oldest WAL of the primary it gets WAL from the archive.
    """
    return {"restore_command": archive_get(backup, data_directory)}


def restore_backup(
    restoration: Restoration, bin_directory: str, stop: Stop, emit: Emit, *, stall_s: float
) -> None:
    """Restore into a directory that is empty, or holds the old data of the same node.

    Nothing may run there, and nothing can be started from there until it is done: pgbackrest
    removes the control file first and restores it last. Afterwards the directory has
    ``backup_label``, ``standby.signal``, the links to the tablespaces and the WAL directory, and
    `archive_settings` in postgresql.auto.conf; all else in it is the backed-up node's, the
    configuration files too. Files that the backup has not are gone.

    Killed at any moment, it may be called again. Raises Undone when pgbackrest fails, when the
    repository is silent for about `stall_s`, or when the result is not the backup.
    """
    directory = Path(restoration.directory)
    _prepare(directory, restoration.backup.major)
    progress = RestoreProgress(restoration.backup.repository.size_bytes, emit)
    words = restore_words(restoration, protocol_timeout_s=stall_s / TRIES)
    try:
        # no limit: the runner ends a step after step_s, and the agent its programs
        said = run(words, stop, timeout_s=None, on_line=progress.take)
    finally:
        end_leftovers(into(restoration.directory))  # Its ssh waits on for a host that is silent.
    error = read_error(said.output)  # The lines on each file would hide it.
    if said.status > 0 and error is not None:
        raise Undone("pgbackrest could not restore the backup", detail=error)
    said.check()
    progress.finish()
    _check(restoration, bin_directory, stop)
    if restoration.wal_directory is not None:
        _lead_to(Path(restoration.wal_directory), directory / "pg_wal")
    # Pgbackrest has written one that names the directory as it is called now.
    settings = archive_settings(restoration.backup, restoration.data_directory)
    write_standby_settings(directory, settings)
    sync(directory)


def _prepare(directory: Path, major: int) -> None:
    """See that pgbackrest takes the directory for one to be brought up to date.

    It does when it finds PG_VERSION there, or its own manifest. Otherwise it wants the tablespaces
    to be empty, too, so a new directory gets the file that it will have anyway.
    """
    if read_pid_file(directory) is not None:
        raise Refused(f"a server is running in {directory}")
    end_leftovers(into(str(directory)))  # Of an agent that was killed.
    make_directory(directory)
    remove(directory / PID_FILE_NAME)  # A crash left it.
    names = {entry.name for entry in directory.iterdir()}
    if not names:
        write_file(directory / "PG_VERSION", f"{major}\n", mode=file_mode(directory))
    elif not names & {"PG_VERSION", MANIFEST}:
        raise Refused(f"{directory} is neither empty nor a data directory")


def _check(restoration: Restoration, bin_directory: str, stop: Stop) -> None:
    """See that the directory is what was asked for, before anybody relies on it."""
    directory, wanted = Path(restoration.directory), restoration.backup.repository
    said = run([f"{bin_directory}/pg_controldata", "-D", str(directory)], stop).check()
    control = parse_control_data(said.output)
    version = read_text(directory / "PG_VERSION").strip()
    if control.system_identifier != wanted.system_identifier:
        odd = f"its system identifier is {control.system_identifier}"
    elif version != str(restoration.backup.major):
        odd = f"its PG_VERSION is {version}"
    elif _start(directory / "backup_label") != wanted.start:
        odd = f"its backup_label does not begin at {wanted.start}"
    else:
        return
    raise Undone(
        f"what pgbackrest restored is not backup {wanted.label}", detail=f"In {directory} {odd}."
    )


def _start(label: Path) -> Point | None:
    """Return from where recovery of a backup begins, if its label is there and says it."""
    try:
        return parse_backup_label(read_text(label))
    except (FileNotFoundError, Refused):
        return None


def _lead_to(wal_directory: Path, link: Path) -> None:
    """Put the restored pg_wal into the WAL directory elsewhere, in place of what is there.

    With its option link-map pgbackrest could do it, but fails on the lost+found of a filesystem.
    """
    make_directory(wal_directory)
    for entry in wal_directory.iterdir():
        if entry.name != NOT_DATA:
            remove(entry)
    for entry in link.iterdir():  # WAL of a backup with archive-copy, and archive_status.
        move(entry, wal_directory / entry.name)
    link.rmdir()
    link.symlink_to(wal_directory)
    sync(wal_directory)


class RestoreProgress:
    """Tells how far a restore is, from the lines that pgbackrest writes of each file."""

    def __init__(self, total_bytes: int, emit: Emit, *, told_every_s: float = TOLD_EVERY_S) -> None:
        self._total_bytes = total_bytes
        self._emit = emit
        self._told_every_s = told_every_s
        self._began = self._told = time.monotonic()
        self._files = self._equal = 0
        self._part = self._moved_part = 0.0

    def take(self, line: str) -> None:
        """Emit what a line says, the lines of files no more often than a person can follow."""
        file = read_file_line(line)
        if file is None:
            text = read_told_line(line)
            if text is not None:
                self._emit(Said(NAME, text))
            return
        self._files += 1
        self._equal += file.was_equal
        # What is done of all grows by each file.
        self._moved_part += 0 if file.was_equal else max(0, file.part - self._part)
        self._part = max(self._part, file.part)
        now = time.monotonic()
        if now - self._told >= self._told_every_s:
            self._told = now
            done_bytes = int(self._total_bytes * file.part)
            self._emit(Progress(done_bytes, self._total_bytes, done_bytes / (now - self._began)))

    def finish(self) -> None:
        """Say how much had not to be moved, and about how much had."""
        self._emit(Moved(round(self._total_bytes * self._moved_part)))
        self._emit(Said(NAME, f"{self._equal} of {self._files} files were as in the backup"))
