"""Observe a server of this host as a standby: by SQL, or from outside if no login is possible."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pgpool_recovery.agent.directory.history_file import history_files, read_history
from pgpool_recovery.agent.directory.own_login import own_server_words
from pgpool_recovery.domain.control_data import IN_ARCHIVE_RECOVERY, parse_control_data
from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.standby import STREAMING, StandbyFacts
from pgpool_recovery.domain.wal import History, Lsn, Point, TimelineId, parse_lsn
from pgpool_recovery.facts.facts import Conninfo
from pgpool_recovery.host.pidfile import PidFile, read_pid_file
from pgpool_recovery.host.program import run
from pgpool_recovery.host.server_process import STARTUP, children
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.connection import connect, identify_timeline
from pgpool_recovery.postgres.standby import read_standby
from pgpool_recovery.talk.request.server import AskStandby

ANSWER_S = 30.0
NAME = "the server"
IN_PRODUCTION = "in production"
RECEIVES = re.compile(r"\bwalreceiver\s+streaming ([0-9A-F]+/[0-9A-F]+)")
"""The title of a WAL receiver that has written WAL (XLogWalRcvFlush in walreceiver.c)."""
READS = re.compile(r"\bstartup (recovering|waiting for) ([0-9A-F]{24})$")


class StandbyLook:
    """Observes the server repeatedly; a replication connection that failed is not tried again."""

    def __init__(self) -> None:
        self._may_replicate = True

    def take(self, request: AskStandby, stop: Stop, connect_s: float) -> StandbyFacts:
        """Return the state of the server of a data directory at this moment.

        The replay position is read before its timeline. So a position is never attributed to a
        timeline that replay left before it reached the position.
        """
        data = Path(request.data_directory).resolve()
        running = read_pid_file(data)
        if running is None:
            return StandbyFacts(None, sees_receiver=False, problem="It is no longer running.")
        login = login_of(running, request)
        try:
            with connect(login, timeout_s=connect_s, answer_s=ANSWER_S, name=NAME) as connection:
                facts = read_standby(connection)
        except RecoveryError as error:
            return look_from_outside(running, request, stop, error.detail or error.message)
        if facts.is_in_recovery:
            facts = self._with_timeline(facts, login, connect_s)
        since = min((point.timeline for point in facts.been_at), default=TimelineId(1))
        found = tuple(histories(data, since))
        replay = replay_of(running.pid)
        return replace(facts, histories=found, restoring=replay.restoring, replaying=replay.file)

    def _with_timeline(
        self, facts: StandbyFacts, login: Conninfo, connect_s: float
    ) -> StandbyFacts:
        """Add the replay position with its timeline, which only a replication connection reports.

        Without one the control file must do, which lags behind.
        """
        if not self._may_replicate or facts.replayed is None:
            return facts
        try:
            timeline = identify_timeline(login, timeout_s=connect_s, name=NAME)
        except RecoveryError:
            self._may_replicate = False
            return facts
        point = Point(TimelineId(timeline), facts.replayed)
        return replace(facts, been_at=(*facts.been_at, point))


def login_of(running: PidFile, request: AskStandby) -> Conninfo:
    """Return the connection to a running server of this host."""
    user = {} if request.user is None else {"user": request.user}
    where = {"host": running.host, "port": str(running.port), "dbname": request.dbname}
    return {**where, **own_server_words(running.host), **user}


def histories(data: Path, since: TimelineId) -> Iterator[History]:
    """Yield the histories that the server would use, from a timeline on.

    A file that is not a history or cannot be read is skipped: the server itself will report it.
    """
    for file, timeline in history_files(data / "pg_wal", since):
        try:
            yield read_history(file, timeline)
        except (OSError, Refused):
            continue


def look_from_outside(
    running: PidFile, request: AskStandby, stop: Stop, problem: str
) -> StandbyFacts:
    """Return what its control file and its process titles say, when no session can connect.

    The control file says at once that a server has become a primary, but its timeline only later.
    In a copy it is the primary's own file until recovery has begun, so it is read only if the
    server is ready to accept sessions. If update_process_title is off, nothing is seen of the WAL
    receiver.
    """
    data = Path(request.data_directory).resolve()
    nothing: tuple[bool | None, tuple[Point, ...]] = (None, ())
    is_in_recovery, been_at = (
        _control(data, request.bin_directory, stop) if running.is_ready else nothing
    )
    since = min((point.timeline for point in been_at), default=TimelineId(1))
    titles = (process.title for process in children(running.pid))
    received = next(filter(None, map(_receives, titles)), None)
    replay = replay_of(running.pid)
    return StandbyFacts(
        is_in_recovery=is_in_recovery,
        sees_receiver=received is not None,
        receiver=None if received is None else STREAMING,
        slot_name=request.slot_name,
        wanted_slot=request.slot_name,
        received=received,
        been_at=been_at,
        histories=tuple(histories(data, since)),
        problem=problem,
        restoring=replay.restoring,
        lacks_wal=replay.lacks_file,
        replaying=replay.file,
    )


def _control(
    data: Path, bin_directory: str | None, stop: Stop
) -> tuple[bool | None, tuple[Point, ...]]:
    if bin_directory is None:
        return None, ()
    try:
        said = run([f"{bin_directory}/pg_controldata", str(data)], stop).check().output
        control = parse_control_data(said)
    except RecoveryError:
        return None, ()
    known = {IN_PRODUCTION: False, IN_ARCHIVE_RECOVERY: True}
    is_in_recovery = known.get(control.state)
    if not is_in_recovery:
        return is_in_recovery, ()
    ends = () if control.minimum_end is None else (control.minimum_end,)
    return is_in_recovery, (Point(control.timeline, control.checkpoint), *ends)


class SeenReplay(NamedTuple):
    """What is seen from outside of a server's replay.

    `restoring` is the PID of the restore_command that it waits for, and `file` the WAL file that
    its title names. `lacks_file`: the command has been called for that file, which was not found.
    """

    restoring: int | None = None
    file: str | None = None
    lacks_file: bool = False


def replay_of(postmaster: int) -> SeenReplay:
    """Return what is seen of the startup process, which runs the command and has no other children.

    Before that, its title becomes "waiting for" the file, and "recovering" it once there is a file
    of that name, be it a recycled one in pg_wal (XLogFileRead() in xlogrecovery.c). If
    update_process_title is off, it names none.
    """
    for process, title in children(postmaster):
        if STARTUP.match(title):
            child = next((child.process.pid for child in children(process.pid)), None)
            found = READS.search(title)
            if found is None:
                return SeenReplay(child)
            return SeenReplay(child, found[2], child is None and found[1] == "waiting for")
    return SeenReplay()


def _receives(title: str) -> Lsn | None:
    """Return how far a WAL receiver has written, according to its title.

    >>> _receives("postgres: 15/main: walreceiver streaming 0/3000148")
    50331976
    >>> _receives("postgres: walreceiver ") is None
    True
    """
    match = RECEIVES.search(title)
    return None if match is None else parse_lsn(match[1])
