"""A server that we started is watched until it is believed; one that is wrong does not go on.

The runner says that it is believed, or has it stopped. Where the runner is gone before, the agent
judges by itself what it can: a server that has become a primary, or has been where the primary
never was, is stopped. One that only replays still is left: it is a standby, and nobody uses it.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.agent.directory.swap import note_failed_start
from pgpool_recovery.agent.server.standby import StandbyLook
from pgpool_recovery.agent.server.start import bin_directory_of, stop_server
from pgpool_recovery.domain.error import RecoveryError, Undone
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.standby import Fault, Trouble, UpstreamFacts, judge
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.log.note import waits
from pgpool_recovery.talk.protocol import AskStandby, Guarded, Start, StopAtOnce

LOOK_S = 30.0
"""How long a server that lets nobody in yet is looked at when the runner is gone."""
IMMEDIATE_S = 30.0
"""For an immediate stop: after five seconds the server kills what is left (postmaster.c)."""
TICK_S = 0.2


@record
class Watched:
    """A server that was started, and what has to be known to look at it and to stop it."""

    request: Start
    guarded: Guarded

    @property
    def data_directory(self) -> Path:
        """The data directory, where it really is."""
        return Path(self.request.data_directory).resolve()


class Guard:
    """Knows the one server that this agent has started and that nobody believes yet."""

    def __init__(self) -> None:
        self._watched: Watched | None = None

    def watch(self, request: Start) -> None:
        """Begin to watch what is started now; a server that runs already is somebody else's."""
        runs = read_pid_file(Path(request.data_directory).resolve()) is not None
        if request.guarded is not None and not runs:
            self._watched = Watched(request, request.guarded)

    def believe(self) -> None:
        """Watch it no longer."""
        self._watched = None

    def settle(self, connect_s: float) -> bool:
        """Stop the server when it is wrong, now that nobody else would; else leave it.

        Return whether it was stopped.

        Nothing that fails here may keep the agent from ending: nobody hears of it.
        """
        watched, self._watched = self._watched, None
        if watched is not None:
            with suppress(RecoveryError, OSError):
                return _settle(watched, connect_s)
        return False


@waits("the server on probation to be judged")
def _settle(watched: Watched, connect_s: float) -> bool:
    stop, look = Stop(), StandbyLook()  # The agent's own wish to end must not keep it from this.
    data, request, guarded = watched.data_directory, watched.request, watched.guarded
    directory = str(bin_directory_of(data, request.bin_directories, stop))
    asked = AskStandby(str(data), guarded.dbname, guarded.user, directory, None)
    upstream = UpstreamFacts("the primary", guarded.history, None, None)
    deadline = time.monotonic() + LOOK_S
    while read_pid_file(data) is not None:
        facts = look.take(asked, stop, connect_s)
        trouble = judge(facts, upstream)
        if trouble is not None and must_not_run(trouble):
            stop_at_once(StopAtOnce(str(data), (directory,), guarded.stop_s, 1), stop)
            return True
        if facts.problem is None or time.monotonic() > deadline:
            return False
        time.sleep(TICK_S)
    return False


def must_not_run(trouble: Trouble) -> bool:
    """Say whether a server is, or is about to become, a second primary or one with other data."""
    return trouble.fault.is_wrong_data or trouble.fault is Fault.TARGET


@waits("the server to be stopped at once")
def stop_at_once(request: StopAtOnce, stop: Stop) -> bool:
    """Stop a server: fast, and in immediate mode when that does not end it in time.

    Returns whether it ended in an orderly way. The failures are counted first: whatever becomes of
    the stop, the next recovery has to know. In fast mode all sessions end at once, so that nobody
    writes while it takes its time.
    """
    data = Path(request.data_directory).resolve()
    for _ in range(request.has_failed):
        with suppress(OSError, RecoveryError):  # It has to stop all the same: on a full disk, or
            note_failed_start(data)  # where the journal cannot be read.
    server = read_pid_file(data)
    if server is None:
        return True
    with suppress(Undone):  # Why is of no interest when it is gone all the same.
        stop_server(request, stop)
    if read_pid_file(data) is None:
        return True
    with suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGQUIT)
    deadline = time.monotonic() + IMMEDIATE_S
    while read_pid_file(data) is not None:
        if time.monotonic() > deadline:
            raise Undone(
                "the server does not end, not even in immediate mode",
                detail=f"Its process is {server.pid}.",
                hint="End it before anybody uses it.",
                target=TargetState.STARTED,
            )
        stop.wait(TICK_S)
    return False
