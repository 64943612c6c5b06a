"""Query a running server of this host about itself, and have it apply new settings."""

import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from pgpool_recovery.agent.directory.history_file import history_files, read_history
from pgpool_recovery.agent.directory.own_login import own_server_words
from pgpool_recovery.agent.directory.wal_records import Stretch, dump_records
from pgpool_recovery.domain.error import Cancelled, RecoveryError, Undone, Unreachable
from pgpool_recovery.domain.pause import pause_s
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import History, Lsn, TimelineId, parse_lsn
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.facts.running import RELOADED, Running, RunningServer, Silent
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.server_log import without_contents
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.leftovers import read_leftovers
from pgpool_recovery.talk.request.server import AskRunning

ANSWER_S = 30.0
NO_RECORD = "could not find a valid record"
"""What pg_waldump prints, in the C locale, when no whole record begins at a position or later."""
NAME = "the server"
RELOAD_S = 30.0
"""How long a reload may take; on a host that works at all it takes milliseconds."""
TICK_S = 0.1
WAL_FILE = re.compile(r"([0-9A-F]{8})[0-9A-F]{16}(\.partial)?")


def ask_running(request: AskRunning, stop: Stop, connect_s: float) -> Running:
    """Return what the server of a data directory reports, or Silent with the reason why not."""
    data = Path(request.data_directory).resolve()
    own = read_pid_file(data)
    if own is None:
        return Silent("It is no longer running.")
    user = {} if request.user is None else {"user": request.user}
    login = {"host": own.host, "port": str(own.port), "dbname": request.dbname, **user}
    try:
        with _connect(login, connect_s) as connection:
            said = _said(connection, login, data)
        return replace(said, is_torn=_is_torn(said, request, data, stop))
    except Cancelled:
        raise
    except RecoveryError as error:
        return Silent(error.detail or error.message)


def _connect(login: Conninfo, connect_s: float) -> AbstractContextManager[Connection]:
    own = {**login, **own_server_words(login["host"])}
    return connect(own, timeout_s=connect_s, answer_s=ANSWER_S, name=NAME)


def _said(connection: Connection, login: Conninfo, data: Path) -> RunningServer:
    row = connection.row("running", names=list(RELOADED))
    receiving = None if row["receiving"] is None else TimelineId(row["receiving"])
    known = [row["timeline"], receiving or 0, *_timelines_of_wal(data)]
    timeline = TimelineId(max(known))
    return RunningServer(
        login=login,
        is_in_recovery=row["is_in_recovery"],
        is_paused=row["is_paused"],
        timeline=timeline,
        histories=tuple(_histories(data, timeline)),
        receiving=receiving,
        received=_lsn(row["received"]),
        replayed=_lsn(row["replayed"]),
        is_torn=False,
        recovery_target_timeline=row["recovery_target_timeline"],
        sources=row["sources"],
        leftovers=read_leftovers(connection),
        has_receiver=row["has_receiver"],
    )


def _lsn(text: str | None) -> Lsn | None:
    return None if text is None else parse_lsn(text)


def _timelines_of_wal(data: Path) -> Iterator[int]:
    for entry in (data / "pg_wal").iterdir():
        if match := WAL_FILE.fullmatch(entry.name):
            yield int(match[1], 16)


def _histories(data: Path, since: TimelineId) -> Iterator[History]:
    """Yield the histories that it would use: a standby fetches only those that it lacks."""
    for file, timeline in history_files(data / "pg_wal", since):
        yield read_history(file, timeline)


def _is_torn(said: RunningServer, request: AskRunning, data: Path, stop: Stop) -> bool:
    """Return whether its WAL after the point where the primary left its timeline is no record.

    A primary that dies while it sends a large record, or a page of many small ones, leaves the
    start of a record on all of its standbys. The promoted one leaves the timeline before that.
    Raises Undone if pg_waldump fails otherwise.
    """
    history, received, replayed = request.history, said.received, said.replayed
    if request.bin_directory is None or history is None or received is None or replayed is None:
        return False
    left = history.end_of(said.timeline) if said.timeline in history.timelines else None
    if left is None or not replayed <= left < received:
        return False
    after = Stretch(said.timeline, left)
    completed = dump_records(data, request.bin_directory, after, ["--limit", "1"], stop)
    if completed is None:
        return False
    if NO_RECORD in completed.output:
        return True
    completed.check()
    return False


def reload(data: Path) -> None:
    """Make the server reload its configuration files, if it is running."""
    own = read_pid_file(data)
    if own is not None:
        os.kill(own.pid, signal.SIGHUP)


@waits("new sessions to have the new settings")
def take_over(
    data: Path, login: Conninfo, settings: Mapping[str, str], stop: Stop, connect_s: float
) -> None:
    """Reload, and check that new sessions have the settings; they inherit the postmaster's.

    Raises Undone with the errors in the files when they do not have them after RELOAD_S.
    """
    reload(data)
    began = time.monotonic()
    while True:
        with _connect(login, connect_s) as connection:
            names = list(settings)
            rows = connection.rows("effective_settings", names=names)
            if {row["name"]: row["setting"] for row in rows} == settings:
                return
            if time.monotonic() > began + RELOAD_S:
                raise _not_taken_over(connection)
        stop.wait(pause_s(time.monotonic() - began, TICK_S))


def _not_taken_over(connection: Connection) -> Undone:
    try:
        errors = [row["said"] for row in connection.rows("file_errors")]
    except Unreachable as unreadable:
        errors = [unreadable.detail or unreadable.message]
    return Undone(
        "the server has not applied the new settings",
        detail="\n".join(map(without_contents, errors))
        or f"{RELOAD_S:g} s after the reload it still has other values.",
        hint="Check pg_file_settings and pg_settings there.",
    )
