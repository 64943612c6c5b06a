"""Restore the newest backup of a pgBackRest repository into a directory of the target."""

import shutil
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import write_standby_settings
from pgpool_recovery.agent.directory.modes import file_mode
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.agent.method.repository import archived_histories
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.control_data import parse_control_data
from pgpool_recovery.domain.data_directory import LOST_AND_FOUND
from pgpool_recovery.domain.error import Refused, Undone
from pgpool_recovery.domain.event import Emit, Moved, Said
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.backup import Backup, NoBackup, Restoration
from pgpool_recovery.files.text import read_text
from pgpool_recovery.files.write import move, sync, write_file
from pgpool_recovery.host.leftover_process import end_leftovers
from pgpool_recovery.host.meter import Meter
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
"""How much longer than its own limit pgbackrest may take, to report what it has waited for."""
TRIES = 3
"""How often pgbackrest tries a file, each time up to its own limit (its option job-retry)."""
MANIFEST = "backup.manifest"
"""The file by which pgbackrest marks an unfinished restore; pgbackrest removes it at the end."""


def observe_repository(
    stanza: str, stop: Stop, *, timeout_s: float = ANSWER_S, archive_s: float = ARCHIVE_S
) -> Backup | NoBackup:
    """Return the backup that a restore on this host would use, or why there is none.

    Queries the repository twice, each time for at most `timeout_s` and a margin, then the history
    files of the archive, each time for at most `archive_s` and a margin. Changes nothing.
    """
    program = shutil.which(NAME)
    if program is None:
        return NoBackup(
            "pgbackrest is not installed",
            hint="Install it on that host, in a directory on the agent's PATH.",
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
    """Run a query. An unreadable configuration or a lock shows as an exit status."""
    command = next(word for word in words[1:] if not word.startswith("-"))
    hint = f"Run pgbackrest {command} on that host as the user that runs PostgreSQL."
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
    """Return what a standby made from a backup needs in addition to the settings of every standby.

    It gets the WAL between the backup and the primary's oldest WAL from the archive.
    """
    return {"restore_command": archive_get(backup, data_directory)}


def restore_backup(
    restoration: Restoration, bin_directory: str, stop: Stop, emit: Emit, *, stall_s: float
) -> None:
    """Restore into a directory that is empty or contains the old data of the same node.

    No server may run there, and none can be started there until the restore is complete: pgbackrest
    removes the control file first and restores it last. Afterwards the directory has
    ``backup_label``, ``standby.signal``, the links to the tablespaces and the WAL directory, and
    `archive_settings` in postgresql.auto.conf. Everything else in it is the backed-up node's,
    including the configuration files. Files that are not in the backup are gone.

    It can be called again after it was killed at any point. Raises Refused when the directory
    cannot be used. Raises Undone when pgbackrest fails, when the repository does not answer for
    about `stall_s`, or when the result is not the backup.
    """
    directory = Path(restoration.directory)
    _prepare(directory, restoration.backup.major)
    progress = RestoreProgress(restoration.backup.repository.size_bytes, emit)
    words = restore_words(restoration, protocol_timeout_s=stall_s / TRIES)
    try:
        # no limit: the runner ends a step that makes no progress for stall_s
        said = run(words, stop, timeout_s=None, on_line=progress.take)
    finally:
        end_leftovers(into(restoration.directory))  # Its ssh goes on waiting for a silent host.
    error = read_error(said.output)  # It would be lost among the lines about each file.
    if said.status > 0 and error is not None:
        raise Undone("pgbackrest could not restore the backup", detail=error)
    said.check()
    progress.finish()
    _check(restoration, bin_directory, stop)
    if restoration.wal_directory is not None:
        lead_wal_to(Path(restoration.wal_directory), directory / "pg_wal")
    # The one that pgbackrest has written contains the present path of the directory.
    settings = archive_settings(restoration.backup, restoration.data_directory)
    write_standby_settings(directory, settings)
    sync(directory)


def _prepare(directory: Path, major: int) -> None:
    """Make sure that pgbackrest accepts the directory for a delta restore.

    It does if it finds PG_VERSION there, or its own manifest. Otherwise it requires the tablespaces
    to be empty, too. So a new directory gets PG_VERSION, which it will have in the end anyway.
    """
    if read_pid_file(directory) is not None:
        raise Refused(f"a server is running in {directory}")
    end_leftovers(into(str(directory)))  # They are from an agent that was killed.
    make_directory(directory)
    remove(directory / PID_FILE_NAME)  # A crash left it behind.
    names = {entry.name for entry in directory.iterdir()}
    if not names:
        write_file(directory / "PG_VERSION", f"{major}\n", mode=file_mode(directory))
    elif not names & {"PG_VERSION", MANIFEST}:
        raise Refused(f"{directory} is neither empty nor a data directory")


def _check(restoration: Restoration, bin_directory: str, stop: Stop) -> None:
    """Check that the directory is the requested backup, before anything relies on it."""
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
        f"what pgbackrest restored is not backup {wanted.label}", detail=f"In {directory}, {odd}."
    )


def _start(label: Path) -> Point | None:
    """Return where recovery of a backup begins; None if there is no valid label."""
    try:
        return parse_backup_label(read_text(label))
    except (FileNotFoundError, Refused):
        return None


def lead_wal_to(wal_directory: Path, link: Path) -> None:
    """Replace the contents of an external WAL directory by the restored pg_wal, and link to it.

    Pgbackrest could do it with its option link-map, but fails on a filesystem's lost+found.
    """
    make_directory(wal_directory)
    for entry in wal_directory.iterdir():
        if entry.name != LOST_AND_FOUND:
            remove(entry)
    for entry in link.iterdir():  # WAL of a backup with archive-copy, and archive_status.
        move(entry, wal_directory / entry.name)
    link.rmdir()
    link.symlink_to(wal_directory)
    sync(wal_directory)


class RestoreProgress:
    """Reports how far a restore is, from the lines that pgbackrest writes about each file."""

    def __init__(self, total_bytes: int, emit: Emit) -> None:
        self._total_bytes = total_bytes
        self._emit = emit
        self._meter = Meter(emit)
        self._files = self._equal = 0
        self._part = self._moved_part = 0.0

    def take(self, line: str) -> None:
        """Emit what a line says."""
        file = read_file_line(line)
        if file is None:
            text = read_told_line(line)
            if text is not None:
                self._emit(Said(NAME, text))
            return
        self._files += 1
        self._equal += file.was_equal
        # Each line has the part of the whole that is done after its file.
        self._moved_part += 0 if file.was_equal else max(0, file.part - self._part)
        self._part = max(self._part, file.part)
        self._meter.tell(int(self._total_bytes * file.part), self._total_bytes)

    def finish(self) -> None:
        """Report about how much was transferred, and how many files did not have to be."""
        self._emit(Moved(round(self._total_bytes * self._moved_part)))
        self._emit(Said(NAME, f"{self._equal} of {self._files} files already matched the backup"))
