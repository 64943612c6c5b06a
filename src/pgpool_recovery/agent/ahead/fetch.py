"""Fetch WAL files from an archive, a few at a time, while a server replays those before them.

A file is offered to the server only once it has passed the checks that the files passed by which
the archive was tried. Whatever goes wrong here, the server still has its own command: it asks by
itself for each file that it is not offered.

That command must not be refused because of the calls made here: sshd drops logins if too many are
under way (MaxStartups), ssh then exits with status 255, and any status above 125 ends the server
(RestoreArchivedFile in xlogarchive.c). So no call is made here while the server may run it: before
it replays, only the file for which it waits is fetched, and a file that did not come while there
were other calls is fetched once more, alone, before the server may ask for it.
"""

import heapq
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.agent.ahead.setting import put_back_or_tell, set_line, spool_of, why
from pgpool_recovery.agent.directory.ahead_line import ASKED, DECLINED, PART
from pgpool_recovery.agent.directory.modes import directory_mode, file_mode
from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.agent.observe.restore_command import RestoreCommand, opened
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.error import Cancelled, RecoveryError
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import file_of_segment
from pgpool_recovery.domain.wal_page import LONG_HEADER_BYTES
from pgpool_recovery.facts.archived_wal import WAL_NAME, FetchAhead, FetchedWal, WalOfPrimary
from pgpool_recovery.facts.own_wal import covering
from pgpool_recovery.host import lock
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.plan.fetch_ahead import MOST_KEPT
from pgpool_recovery.plan.from_archive import odd

TICK_S = 0.05
ENDS_WITHIN_S = 5.0
"""How long all calls may take to end; they are killed after a second or two."""


class Ahead:
    """The files that are fetched ahead for one server, from the start of it on."""

    def __init__(self, ahead: FetchAhead, data: Path, tell: Say) -> None:
        self._ahead = ahead
        self._data = data
        self._spool = spool_of(data)
        self._tell = tell
        self._stop = Stop()
        self._changing = threading.Lock()
        self._next = ahead.first
        self._again: list[int] = []
        """Segments whose fetch failed while there were others at the same time; a heap."""
        self._at_once = ahead.at_once
        self._running = 0
        self._held: int | None = None
        """The descriptor that holds the lock of the spool; None if the spool is not ours."""
        self._control_before: int | None = None
        """When the control file was last written before the server was started."""
        self._replays = False
        self._threads: list[threading.Thread] = []
        self._left = 0
        """How many of the threads have not ended."""
        self._offered = 0

    def begin(self) -> None:
        """Have the server of the directory, which is not running yet, take files from here.

        Nothing that fails here may keep it from being started: it can do without.
        """
        try:
            self._spool.mkdir()
            # At once, or `put_right` of another recovery removes it.
            self._held = lock.lock(self._spool)
            self._spool.chmod(directory_mode(self._data))
            self._control_before = self._control_written()
            self._part(self._ahead.first).mkdir()  # The server waits for this one from the start.
            set_line(self._data, self._ahead, self._left_out())
        except (OSError, RecoveryError) as error:
            self._tell(f"no WAL is fetched ahead: {why(error)}")
            return
        self._tell(
            f"fetch WAL from the archive ahead of the server, {self._at_once} files at a time"
        )
        for _ in range(self._at_once):
            thread = threading.Thread(target=self._work, daemon=True)
            with self._changing:
                self._left += 1
            try:
                thread.start()
            except RuntimeError as error:  # The system allows no more of them.
                self._tell(f"{len(self._threads)} files at a time are fetched ahead: {error}")
                self._one_less()
                return
            self._threads.append(thread)

    def _left_out(self) -> Iterator[str]:
        """Yield the files that the node has itself, and the first one that the primary still has.

        The server would ask for them all the same, and read its own only if it did not get them.
        """
        ahead = self._ahead
        for segment in (*range(ahead.kept_from, ahead.first), ahead.last + 1):
            yield _name(segment, ahead.of_primary)

    def end(self) -> None:
        """Fetch nothing more, and let the server use its own command again."""
        self._stop.ask()
        deadline = time.monotonic() + ENDS_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._held is not None:
            put_back_or_tell(self._data, self._tell)
            lock.unlock(self._held)
            self._held = None
        if self._threads:
            self._tell(f"{self._offered} WAL files were fetched ahead")

    def _work(self) -> None:
        """Fetch one file after the other, until all are fetched or one cannot be."""
        try:
            while (claim := self._claim()) is not None:
                try:
                    self._fetch(claim)
                finally:
                    with self._changing:
                        self._running -= 1
        except Cancelled:
            return
        except (OSError, RecoveryError) as error:
            self._give_up(why(error))
        finally:
            self._one_less()

    def _one_less(self) -> None:
        """A thread has ended; with the last one, the server need not wait for anything any more.

        Not earlier: it would run its own command while calls of ours are still being ended.
        """
        with self._changing:
            self._left -= 1
            if self._left:
                return
        with suppress(OSError):  # A process of the command may still write there.
            for part in self._spool.glob(f"*{PART}"):
                remove(part)

    def _claim(self) -> "Claim | None":
        """Return what to fetch next, once it may be fetched; None if there is nothing.

        From then on the server waits for it.
        """
        while True:
            self._stop.check()
            with self._changing:
                if not self._again and self._next > self._ahead.last:
                    return None
                # There was room for one that is fetched again, and what waits is behind it.
                most = self._may_run()
                if most and not self._again and not self._has_space():
                    remove(self._part(self._next))  # The server need not wait for it.
                elif self._running < most and (self._again or self._has_room()):
                    segment = heapq.heappop(self._again) if self._again else self._next
                    self._next = max(self._next, segment + 1)
                    self._part(segment).mkdir(exist_ok=True)
                    self._running += 1
                    with suppress(FileNotFoundError):
                        (self._spool / ASKED).rmdir()
                    return Claim(segment, is_alone=most == 1)
            self._stop.wait(TICK_S)

    def _may_run(self) -> int:
        """Return how many calls may be under way now.

        Until the server replays, it runs its own command for history files, last of all before it
        writes the control file for the first time (StartupXLOG). It may need the first file before
        that, for its checkpoint; a file for which it waits is fetched alone. And where it has more
        WAL itself than the line declines, it asks for that, too, before the first file.
        """
        if self._replays:
            return self._at_once
        is_asked = (self._spool / ASKED).exists()
        asks_for_own = self._ahead.first - self._ahead.kept_from >= MOST_KEPT
        has_begun = self._control_written() != self._control_before
        self._replays = has_begun and (is_asked or not asks_for_own)
        if self._replays:
            return self._at_once
        return 1 if is_asked else 0

    def _control_written(self) -> int:
        """Return when the control file was last written, in nanoseconds."""
        return (self._data / CONTROL_FILE).stat().st_mtime_ns

    def _has_room(self) -> bool:
        """Return whether another file may wait for the server."""
        others = (DECLINED, ASKED, lock.LOCK_NAME)
        names = [one.name for one in self._spool.iterdir() if not one.name.startswith(others)]
        waiting = sum(not name.endswith(PART) for name in names)
        return waiting + self._running + len(self._again) < self._ahead.most

    def _has_space(self) -> bool:
        """Return whether the disk has space for more; the server's own files come first."""
        size = self._ahead.of_primary.segment_bytes
        return shutil.disk_usage(self._spool).free > (self._ahead.at_once + 2) * size

    def _fetch(self, claim: "Claim") -> None:
        """Fetch a file and offer it to the server; if that fails, try it alone next, or give up."""
        segment = claim.segment
        part, name = self._part(segment), _name(segment, self._ahead.of_primary)
        with suppress(OSError):  # The command has left a process that still writes there.
            _empty(part)
        fault = self._brought(name, part / WAL_NAME)
        if fault is None:
            (part / WAL_NAME).chmod(file_mode(self._data))
            with self._changing:
                if self._next <= self._ahead.last:  # It may ask for that before it is claimed.
                    self._part(self._next).mkdir(exist_ok=True)
                (part / WAL_NAME).rename(self._spool / name)
                self._offered += 1
            with suppress(OSError):
                remove(part)
        elif claim.is_alone:
            self._give_up(f"the command did not bring {name}: {fault}")
        else:
            self._slow_down(segment, f"the command did not bring {name}: {fault}")

    def _brought(self, name: str, place: Path) -> str | None:
        """Run the command for a file; return why what is there then is not it, None if it is."""
        ahead = self._ahead
        calls = RestoreCommand(ahead.command, self._data, self._stop, timeout_s=ahead.timeout_s)
        size = ahead.of_primary.segment_bytes
        if not calls.fetch(name, place, max_bytes=size):
            return calls.said
        return odd(_seen(name, place), ahead.of_primary)

    def _slow_down(self, segment: int, reason: str) -> None:
        """Go on with one file at a time: an archive need not bear several calls at once.

        The server goes on waiting for the file, since it would be refused as well.
        """
        with self._changing:
            heapq.heappush(self._again, segment)
            if self._at_once == 1:
                return
            self._at_once = 1
        self._tell(f"{reason}; WAL is fetched ahead one file at a time now")

    def _give_up(self, reason: str) -> None:
        self._stop.ask()
        self._tell(f"no more WAL is fetched ahead: {reason}")

    def _part(self, segment: int) -> Path:
        name = _name(segment, self._ahead.of_primary)
        return self._spool / f"{name}{PART}"


@record
class Claim:
    """A segment that is fetched now, and whether there is no other call meanwhile."""

    segment: int
    is_alone: bool


def begin_ahead(ahead: FetchAhead | None, data_directory: str, tell: Say) -> Ahead | None:
    """Fetch ahead for a server that is about to be started; None if nothing is."""
    data = Path(data_directory).resolve()
    if ahead is None or read_pid_file(data) is not None:
        return None
    made = Ahead(ahead, data, tell)
    made.begin()
    return made


def _empty(part: Path) -> None:
    """Remove what an earlier call has left where a file is to be put."""
    for entry in part.iterdir():
        remove(entry)


def _name(segment: int, of_primary: WalOfPrimary) -> str:
    size = of_primary.segment_bytes
    return file_of_segment(covering(segment, of_primary.history, size), segment, size)


def _seen(name: str, place: Path) -> FetchedWal:
    """Return what is in a file; a link would lead nowhere from where the server moves it."""
    if place.is_symlink() or not place.exists():
        return FetchedWal(name, None, problem="it delivered no file")
    with opened(place) as descriptor:
        if descriptor is None:
            return FetchedWal(name, None, problem="it delivered no file")
        head = os.pread(descriptor, LONG_HEADER_BYTES, 0)
        return FetchedWal(name, head.hex(), os.fstat(descriptor).st_size)
