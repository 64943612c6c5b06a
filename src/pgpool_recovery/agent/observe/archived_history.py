"""Ask a node's restore_command for history files, as the node's server will when it starts."""

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.text import one_line
from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.archived_history import (
    MAX_BEYOND,
    MAX_BYTES,
    Archive,
    ArchivedHistory,
    history_file,
    read_archived,
)
from pgpool_recovery.files.process_table import process_of
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.program import MARK, run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.plan.stray import SERVER_ENDS_ABOVE
from pgpool_recovery.talk.protocol import AskArchive

SHELL = "/bin/sh"
NAME = "RECOVERYHISTORY"
NO_RESTART_POINT = "0" * 24
"""The value of %r as long as nothing may be cleaned up (RestoreArchivedFile in xlogarchive.c)."""
MAX_SAID = 200


def ask_archive(request: AskArchive, stop: Stop) -> Archive:
    """Return the history files that a restore_command returns, without changing the data directory.

    The command is the user's, written for a shell, so only a shell can run it. It is run as the
    server runs it (BuildRestoreCommand, RestoreArchivedFile): by the same OS user, in the data
    directory, and with the server's own environment if the server is running. Only two strings are
    inserted: the name of a history file, made from a number, and the path of a file in a private
    directory of ours.

    The primary's timelines from `since` on are requested, then the next ones until one is absent.
    After a call that did not end in time, no further call is made.
    """
    calls = _Calls(request, stop)
    found = tuple(_found(request, calls))
    return Archive(found, calls.longest_s, calls.is_silent, calls.fatal)


def _found(request: AskArchive, calls: "_Calls") -> Iterator[ArchivedHistory]:
    current = request.history.current
    own = [one for one in request.history.timelines if one >= max(request.since, 2)]
    for timeline in own:
        found = calls.ask(timeline)
        if found is not None:
            yield found
    for number in range(current + 1, current + 1 + MAX_BEYOND):
        found = calls.ask(TimelineId(number))
        if found is None:
            return
        yield found


class _Calls:
    """The calls of one restore_command: how long they took, and how they failed."""

    def __init__(self, request: AskArchive, stop: Stop) -> None:
        self._request = request
        self._stop = stop
        self.longest_s = 0.0
        self.is_silent = False
        self.fatal: str | None = None

    def ask(self, timeline: TimelineId) -> ArchivedHistory | None:
        """Return a file from the archive; None without one, or after a call that did not end."""
        if self.is_silent:
            return None
        with tempfile.TemporaryDirectory(prefix="pgpool_recovery_") as private:
            place = Path(private).resolve() / NAME
            began = time.monotonic()
            is_given = self._run(history_file(timeline), place)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            contents = _contents(place) if is_given else None
        return None if contents is None else read_archived(timeline, contents)

    def _run(self, file: str, place: Path) -> bool:
        """Run the command; return whether it reports that it has delivered the file."""
        data, timeout_s = Path(self._request.data_directory), self._request.timeout_s
        where = data if os.access(data, os.R_OK | os.X_OK) and data.is_dir() else place.parent
        # Relative to the data directory, as from the server; some commands prepend that directory.
        path = os.path.relpath(place, where.resolve())
        argv = [SHELL, "-c", with_words(self._request.command, file, path)]
        try:
            said = run(
                argv,
                _Watch(self._stop, place),
                timeout_s=timeout_s,
                environment=server_environment(data),
                directory=str(where),
            )
        except Undone as error:
            self.is_silent = not isinstance(error, _TooLargeError)
            return not self.is_silent
        if said.status < 0 or said.status > SERVER_ENDS_ABOVE:
            last = one_line(said.last_lines.rpartition("\n")[2])[:MAX_SAID] or "it wrote nothing"
            how = f"exit status {said.status}" if said.status > 0 else f"signal {-said.status}"
            self.fatal = f"{how} for {file} ({last})"
        return said.status == 0


def with_words(command: str, file: str, path: str) -> str:
    """Return a restore_command with its placeholders replaced (BuildRestoreCommand).

    >>> with_words("cp /archive/%f '%p' # 100%% %r", "00000002.history", "pg_wal/X")
    "cp /archive/00000002.history 'pg_wal/X' # 100% 000000000000000000000000"
    """
    words = {"%f": file, "%p": path, "%r": NO_RESTART_POINT, "%%": "%"}
    made, at = "", 0
    while at < len(command):
        pair = command[at : at + 2]
        made += words.get(pair, command[at])
        at += 2 if pair in words else 1
    return made


def server_environment(data: Path) -> dict[str, str]:
    """Return the environment of the server that runs there; only PGDATA if none is running.

    /proc shows a postmaster's initial environment: only its children overwrite it with their
    process titles.
    """
    server = None
    with suppress(OSError):
        server = read_pid_file(data)
    text = "" if server is None else process_of(server.pid).text("environ")
    pairs = (entry.partition("=") for entry in text.split("\0") if "=" in entry)
    return {"PGDATA": str(data)} | {name: text for name, _, text in pairs if name != MARK}


class _TooLargeError(Undone):
    """The file that a command has written is too large to be a history file."""


class _Watch(Stop):
    """Also ends a command that writes more than a history file can contain."""

    def __init__(self, stop: Stop, place: Path) -> None:
        super().__init__()
        self._stop = stop
        self._place = place

    def check(self) -> None:
        """Raise Cancelled if a stop was requested, and Undone if the file is too large."""
        self._stop.check()
        with suppress(OSError):
            if self._place.stat().st_size > MAX_BYTES:
                raise _TooLargeError("the file written by restore_command is not a history file")


def _contents(place: Path) -> bytes | None:
    """Return the file's contents; None without a file, b"?" for what cannot be a history file."""
    try:
        # It may be a link into the archive. Opening a FIFO must not wait for its other end.
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        contents = os.read(descriptor, MAX_BYTES + 1) if is_file else b"?"
    finally:
        os.close(descriptor)
    return contents if len(contents) <= MAX_BYTES else b"?"
