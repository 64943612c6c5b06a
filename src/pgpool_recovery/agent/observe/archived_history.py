"""Ask a node's restore_command for history files, as the node's server will when it starts."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.agent.observe.restore_command import RestoreCommand, opened
from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.archived_history import (
    MAX_BEYOND,
    MAX_BYTES,
    Archive,
    ArchivedHistory,
    history_file,
    read_archived,
)
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.host import AskArchive

NAME = "RECOVERYHISTORY"


def ask_archive(request: AskArchive, stop: Stop) -> Archive:
    """Return the history files that a restore_command returns, without changing the data directory.

    The primary's timelines from `since` on are requested, then the next ones until one is absent.
    """
    data = Path(request.data_directory)
    calls = RestoreCommand(request.command, data, stop, timeout_s=request.timeout_s)
    found = tuple(_found(request, calls))
    return Archive(found, calls.longest_s, calls.is_silent, calls.fatal)


def _found(request: AskArchive, calls: RestoreCommand) -> Iterator[ArchivedHistory]:
    current = request.history.current
    own = [one for one in request.history.timelines if one >= max(request.since, 2)]
    for timeline in own:
        found = _ask(calls, timeline)
        if found is not None:
            yield found
    for number in range(current + 1, current + 1 + MAX_BEYOND):
        found = _ask(calls, TimelineId(number))
        if found is None:
            return
        yield found


def _ask(calls: RestoreCommand, timeline: TimelineId) -> ArchivedHistory | None:
    """Return a file from the archive; None without one, or after a call that did not end."""
    with tempfile.TemporaryDirectory(prefix="pgpool_recovery_") as private:
        place = Path(private).resolve() / NAME
        is_given = calls.fetch(history_file(timeline), place, max_bytes=MAX_BYTES)
        contents = _contents(place) if is_given else None
    return None if contents is None else read_archived(timeline, contents)


def _contents(place: Path) -> bytes | None:
    """Return the file's contents; None without a file, b"?" for what cannot be a history file."""
    try:
        with opened(place) as descriptor:
            contents = b"?" if descriptor is None else os.read(descriptor, MAX_BYTES + 1)
    except OSError:
        return None
    return contents if len(contents) <= MAX_BYTES else b"?"
