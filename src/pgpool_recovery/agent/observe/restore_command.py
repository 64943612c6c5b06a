"""Run a restore_command as the server of a data directory will, for one file at a time."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgpool_recovery.agent.directory.ahead_line import own_command_in
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.text import one_line
from pgpool_recovery.files.process_table import process_of
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.program import MARK, Completed, run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.plan.stray import SERVER_ENDS_ABOVE

SHELL = "/bin/sh"
NO_RESTART_POINT = "0" * 24
"""The value of %r as long as nothing may be cleaned up (RestoreArchivedFile in xlogarchive.c)."""
MAX_SAID = 200


class RestoreCommand:
    """The calls of one restore_command: how long they took, and how they failed.

    The command is the user's, written for a shell, so only a shell can run it. It is run as the
    server runs it (BuildRestoreCommand, RestoreArchivedFile): by the same OS user, in the data
    directory, and with the server's own environment if the server is running. Only two strings are
    inserted: the name of a file, made from numbers, and the path of a file in a private directory
    of ours. After a call that did not end in time, no further call is made. Of a command that was
    left by a recovery which fetched WAL ahead, only the server's own part is run.
    """

    def __init__(self, command: str, data: Path, stop: Stop, *, timeout_s: float) -> None:
        own = own_command_in(command)
        self._command = command if own is None else own.text
        self._data = data
        self._stop = stop
        self._timeout_s = timeout_s
        self.longest_s = 0.0
        self.is_silent = False
        self.fatal: str | None = None
        self.said: str | None = None
        """How the last call failed; None if it did not."""

    def fetch(
        self, file: str, place: Path, *, max_bytes: int, timeout_s: float | None = None
    ) -> bool:
        """Run the command; return whether it reports that it has delivered the file.

        A file that grows above `max_bytes` is left as it is then, and counts as delivered.
        `timeout_s` is the limit for this call, if it is not the usual one.
        """
        if self.is_silent:
            return False
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        began = time.monotonic()
        try:
            return self._run(file, place, max_bytes, limit_s)
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def _run(self, file: str, place: Path, max_bytes: int, timeout_s: float) -> bool:
        data, self.said = self._data, None
        where = data if os.access(data, os.R_OK | os.X_OK) and data.is_dir() else place.parent
        # Relative to the data directory, as from the server; some commands prepend that directory.
        path = os.path.relpath(place, where.resolve())
        try:
            said = run(
                [SHELL, "-c", with_words(self._command, file, path)],
                _Watch(self._stop, place, max_bytes),
                timeout_s=timeout_s,
                environment=server_environment(data),
                directory=str(where),
            )
        except _TooLargeError:
            return True
        except Undone:
            self.is_silent = True
            self.said = f"it did not end within {timeout_s:g} s"
            return False
        if said.status != 0:
            self.said = _how(said)
        if said.status < 0 or said.status > SERVER_ENDS_ABOVE:
            self.fatal = f"{_status(said)} for {file} ({_last_line(said)})"
        return said.status == 0


def _how(said: Completed) -> str:
    return f"{_status(said)} ({_last_line(said)})"


def _status(said: Completed) -> str:
    return f"exit status {said.status}" if said.status > 0 else f"signal {-said.status}"


def _last_line(said: Completed) -> str:
    return one_line(said.last_lines.rpartition("\n")[2])[:MAX_SAID] or "it wrote nothing"


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
    """The file that a command has written is larger than the one that was requested can be."""


class _Watch(Stop):
    """Also ends a command that writes more than was requested."""

    def __init__(self, stop: Stop, place: Path, max_bytes: int) -> None:
        super().__init__()
        self._stop = stop
        self._place = place
        self._max_bytes = max_bytes

    def check(self) -> None:
        """Raise Cancelled if a stop was requested, and Undone if the file is too large."""
        self._stop.check()
        with suppress(OSError):
            if self._place.stat().st_size > self._max_bytes:
                raise _TooLargeError("the file written by restore_command is too large")


@contextmanager
def opened(place: Path) -> Iterator[int | None]:
    """Yield a descriptor of what a command has delivered; None if it is not a file.

    It may be a link into the archive. Opening a FIFO must not wait for its other end.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)
