"""Receive the WAL that is written during a copy, so that the primary need not keep it.

pg_receivewal streams it into the copy's pg_wal. What it has not received when the copy ends, the
standby will stream by itself: the slot holds all WAL from the end of the last whole segment on. So
a segment that is not whole is removed, and no server ever takes it for WAL.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.domain.error import Cancelled, RecoveryError, Undone
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, file_of_segment, segment_number
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.files.write import open_in_place, sync
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.conninfo import format_conninfo

PROGRAM = "pg_receivewal"
PARTIAL = ".partial"
NOT_WHOLE = "segment is not complete"
"""What the program says about the last one when it is stopped."""
ARCHIVE_STATUS = "archive_status"
END_WITHIN_S = 10.0
"""How long to wait for the segment in which the backup ends; a primary has switched to the next."""
PRIVATE = 0o600
TICK_S = 0.05


def argv(
    bin_directory: str, conninfo: Conninfo, directory: Path, slot_name: str | None
) -> list[str]:
    """Return the command line of pg_receivewal, which every user on the host can read."""
    return [
        f"{bin_directory}/{PROGRAM}",
        f"--dbname={format_conninfo(conninfo)}",
        f"--directory={directory}",
        *([] if slot_name is None else [f"--slot={slot_name}"]),
        "--no-loop",
        "--no-password",
    ]


class WalStream:
    """The program that receives WAL, in the background until `end`; a context that ends it.

    Without a slot name, the primary keeps the WAL as well. `check` raises Undone if the program has
    ended by itself, with its last lines.
    """

    def __init__(
        self,
        bin_directory: str,
        directory: Path,
        slot_name: str | None,
        segment_bytes: int,
        on_line: Callable[[str], None],
    ) -> None:
        self._bin_directory = bin_directory
        self._directory = directory
        self._slot_name = slot_name
        self._segment_bytes = segment_bytes
        self._on_line = on_line
        self._stop = Stop()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._before: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_program()

    def begin(self, start: Point, login: OwnLogin, conninfo: Conninfo) -> None:
        """Have WAL streamed from the segment in which the backup starts.

        pg_receivewal goes on after the newest whole segment in its directory, or else begins where
        the slot does, which may be far back. So the segment before is there, and is empty.
        """
        number = segment_number(start.lsn, self._segment_bytes)
        self._before = self._file(start.timeline, number - 1)
        _make(self._before, PRIVATE, self._segment_bytes)
        self._thread = threading.Thread(target=self._run, args=(login, conninfo), daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the program."""
        if self._failure is not None:
            raise self._failure

    @waits("the WAL up to the end of the backup")
    def end(self, end: Point, stop: Stop, *, is_of_primary: bool) -> None:
        """End the program after the end of the backup, and leave only whole segments.

        A primary has switched to another segment by then, and the one of the end is awaited. If it
        does not come in time, the standby streams it, as it does after a backup of a standby.
        """
        last = self._file(end.timeline, segment_number(Lsn(end.lsn - 1), self._segment_bytes))
        deadline = time.monotonic() + END_WITHIN_S
        while is_of_primary and not last.exists() and time.monotonic() < deadline:
            self.check()
            stop.wait(TICK_S)
        self.check()
        self._end_program()
        self._tidy()

    def _run(self, login: OwnLogin, conninfo: Conninfo) -> None:
        try:
            with login.for_program(conninfo) as (shown, environment):
                completed = run(
                    argv(self._bin_directory, shown, self._directory, self._slot_name),
                    self._stop,
                    timeout_s=None,  # no limit: `end` stops it
                    on_line=self._on_line,
                    environment=environment,
                ).check()
            self._failure = Undone(f"{PROGRAM} ended early", detail=completed.last_lines or None)
        except Cancelled:
            pass  # `end` has asked it to stop.
        except RecoveryError as error:
            self._failure = error
        except OSError as error:
            self._failure = error

    def _end_program(self) -> None:
        self._stop.ask()
        if self._thread is not None:
            self._thread.join()  # no limit: `run` ends the program within seconds

    def _tidy(self) -> None:
        """Remove what is not whole, and mark the rest as archived, as a WAL receiver does.

        Without the mark a promoted standby would archive the primary's WAL once more.
        """
        if self._before is not None:
            self._before.unlink(missing_ok=True)
        status = self._directory / ARCHIVE_STATUS
        for file in sorted(self._directory.iterdir()):
            if file.name.endswith(PARTIAL):
                file.unlink()
            elif file.is_file():
                _make(status / f"{file.name}.done", file.stat().st_mode & 0o777)
        sync(status)
        sync(self._directory)

    def _file(self, timeline: TimelineId, number: int) -> Path:
        return self._directory / file_of_segment(timeline, number, self._segment_bytes)


def _make(file: Path, mode: int, size_bytes: int = 0) -> None:
    """Make a file of zeros that takes no space."""
    descriptor = open_in_place(file, made_with=mode)
    try:
        os.ftruncate(descriptor, size_bytes)
    finally:
        os.close(descriptor)
