"""Fetch WAL files from an archive for trial, before a plan relies on it.

Most of a call may be a login, so a few calls are made at the same time. The archive is still judged
by what it delivers to one call after the other, as the server makes them, because a command need
not bear several at once. So a file that did not come together with others is requested again.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from pgpool_recovery.agent.observe.archived_wal import (
    has_room,
    is_segment,
    look_at,
    place_for,
    scratch,
)
from pgpool_recovery.agent.observe.restore_command import RestoreCommand
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.facts.archived_wal import FetchedWal, WalTrial, WantedWal
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.host import TryArchive


def try_archive(request: TryArchive, stop: Stop) -> WalTrial:
    """Return what a restore_command returns for WAL files, without changing the data directory."""
    ends = None if request.within_s is None else time.monotonic() + request.within_s
    together = _together(request, ends, stop)
    if together.is_silent or len(together.files) == len(request.wanted):
        return together
    # What is compared is fetched again, too: two calls may have used the same temporary file.
    kept = {file.name: file for file in together.files if not file.digests}
    calls = RestoreCommand(
        request.command, Path(request.data_directory), stop, timeout_s=request.timeout_s
    )
    found = tuple(_one_by_one(request, calls, ends, kept))
    return WalTrial(found, max(together.longest_s, calls.longest_s), calls.is_silent)


def _together(request: TryArchive, ends: float | None, stop: Stop) -> WalTrial:
    """Return the first of the files that came together; none if they are not fetched like that."""
    data, size = Path(request.data_directory), request.at_once * request.segment_bytes
    if min(request.at_once, len(request.wanted)) > 1 and has_room(place_for(data, size), size):
        return Together(request, ends, stop).fetch()
    return WalTrial(())


def _one_by_one(
    request: TryArchive,
    calls: RestoreCommand,
    ends: float | None,
    kept: Mapping[str, FetchedWal],
) -> Iterator[FetchedWal]:
    for wanted in request.wanted:
        found, number = kept.get(wanted.name), 0
        while found is None and number < request.calls:
            number += 1
            limit_s = _limit_s(request, ends)
            if limit_s <= 0:
                return
            found = _fetched(request, wanted, calls, limit_s)
            if calls.is_silent and limit_s < request.timeout_s:
                return
        if found is None:
            yield FetchedWal(wanted.name, None, problem=calls.said)
            return
        yield found


def _limit_s(request: TryArchive, ends: float | None) -> float:
    """Return how long a call may take that is made now; at most 0 if there is no time left."""
    left_s = request.timeout_s if ends is None else ends - time.monotonic()
    return min(request.timeout_s, left_s)


def _fetched(
    request: TryArchive, wanted: WantedWal, calls: RestoreCommand, limit_s: float
) -> FetchedWal | None:
    data, size = Path(request.data_directory), request.segment_bytes
    with scratch(data, request.at_once * size) as place:
        is_given = calls.fetch(wanted.name, place, max_bytes=size, timeout_s=limit_s)
        return look_at(wanted, place) if is_given else None


class Together:
    """Fetches files at the same time, a few at once, until one does not come as it should."""

    def __init__(self, request: TryArchive, ends: float | None, stop: Stop) -> None:
        self._request = request
        self._ends = ends
        self._stop = stop
        self._goes_on = True
        self._changing = threading.Lock()
        self._waiting = iter(range(len(request.wanted)))
        self._came: list[FetchedWal | None] = [None] * len(request.wanted)
        self._longest_s = 0.0
        self._is_silent = False

    def fetch(self) -> WalTrial:
        """Return the files up to the first that did not come; raise Cancelled when asked to stop.

        All calls have ended then. After one that has failed no other is made, and those under way
        end by themselves: one that is killed may leave a lock.
        """
        threads = list[threading.Thread]()
        try:
            for _ in range(min(self._request.at_once, len(self._came))):
                thread = threading.Thread(target=self._fetch_each, daemon=True)
                thread.start()
                threads.append(thread)
        except RuntimeError:  # The system allows no more of them; what is left over is fetched
            pass  # by those that there are, or one by one.
        for thread in threads:
            thread.join()  # no limit: each call has one
        self._stop.check()
        came = takewhile(lambda found: found is not None, self._came)
        return WalTrial(tuple(filter(None, came)), self._longest_s, self._is_silent)

    def _fetch_each(self) -> None:
        try:
            while (place := self._claim()) is not None:
                self._fetch(place)
        except (OSError, RecoveryError):  # A call by itself will show what is wrong, if it lasts.
            self._goes_on = False

    def _claim(self) -> int | None:
        """Return the place of the file to fetch next; None if none is to be fetched."""
        with self._changing:
            is_over = not self._goes_on or _limit_s(self._request, self._ends) <= 0
            return None if is_over else next(self._waiting, None)

    def _fetch(self, place: int) -> None:
        request, wanted = self._request, self._request.wanted[place]
        data = Path(request.data_directory)
        calls = RestoreCommand(request.command, data, self._stop, timeout_s=request.timeout_s)
        found = _fetched(request, wanted, calls, _limit_s(request, self._ends))
        is_right = found is not None and _is_right(found, request.segment_bytes)
        with self._changing:
            self._longest_s = max(self._longest_s, calls.longest_s)
            self._is_silent = self._is_silent or calls.is_silent
            self._goes_on = self._goes_on and is_right
            self._came[place] = found if is_right else None


def _is_right(file: FetchedWal, segment_bytes: int) -> bool:
    begin = bytes.fromhex(file.head or "")
    return is_segment(file.name, begin, file.size_bytes, segment_bytes)
