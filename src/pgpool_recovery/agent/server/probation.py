"""Watch a server that we started until it is accepted, and stop one that is wrong.

The runner accepts the server or has it stopped. If the runner is gone before that, the agent itself
judges what it can: it stops a server that has become a primary, or that has been at a position
where the primary never was. A server that still replays is left running: it is a standby, and
Pgpool-II has not attached it.
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
from pgpool_recovery.talk.request.server import AskStandby, Guarded, Start, StopAtOnce

LOOK_S = 30.0
"""How long a server that does not accept sessions yet is observed when the runner is gone."""
IMMEDIATE_S = 30.0
"""For an immediate stop: the server kills what is left after five seconds (postmaster.c)."""
TICK_S = 0.2


@record
class Watched:
    """A server that was started, and what is needed to observe it and to stop it."""

    request: Start
    guarded: Guarded

    @property
    def data_directory(self) -> Path:
        """The data directory, with symbolic links resolved."""
        return Path(self.request.data_directory).resolve()


class Guard:
    """Knows the one server that this agent has started and that is not accepted yet."""

    def __init__(self) -> None:
        self._watched: Watched | None = None

    def watch(self, request: Start) -> None:
        """Begin to watch what is started now; a server that already runs was not started by us."""
        runs = read_pid_file(Path(request.data_directory).resolve()) is not None
        if request.guarded is not None and not runs:
            self._watched = Watched(request, request.guarded)

    def believe(self) -> None:
        """Accept the server: it is no longer watched."""
        self._watched = None

    def settle(self, connect_s: float) -> bool:
        """Stop the server if it is wrong, because the runner no longer can; otherwise leave it.

        Returns whether it was stopped. No failure here may keep the agent from ending: there is no
        runner left to report it to.
        """
        watched, self._watched = self._watched, None
        if watched is not None:
            with suppress(RecoveryError, OSError):
                return _settle(watched, connect_s)
        return False


@waits("the server on probation to be judged")
def _settle(watched: Watched, connect_s: float) -> bool:
    """Observe the server until it is wrong, answers a session, or LOOK_S have passed."""
    stop, look = Stop(), StandbyLook()  # A Stop of its own: the agent's may already be set.
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
    """Return whether a server is or will become a second primary, or has other data."""
    return trouble.fault.is_wrong_data or trouble.fault is Fault.TARGET


@waits("the server to be stopped at once")
def stop_at_once(request: StopAtOnce, stop: Stop) -> bool:
    """Stop a server in fast mode, and in immediate mode if it does not end in time.

    Returns whether it ended in an orderly way. The failures are counted first, because the next
    recovery must know about them whether or not the stop succeeds. Fast mode ends all sessions at
    once, so no session can write while the server shuts down. Raises Undone when the server does
    not even end in immediate mode.
    """
    data = Path(request.data_directory).resolve()
    for _ in range(request.has_failed):
        with suppress(OSError, RecoveryError):  # It must stop even if the disk is full or
            note_failed_start(data)  # the journal cannot be read.
    server = read_pid_file(data)
    if server is None:
        return True
    with suppress(Undone):  # The reason does not matter if the server is gone.
        stop_server(request, stop)
    if read_pid_file(data) is None:
        return True
    with suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGQUIT)
    deadline = time.monotonic() + IMMEDIATE_S
    while read_pid_file(data) is not None:
        if time.monotonic() > deadline:
            raise Undone(
                "the server does not shut down, not even in immediate mode",
                detail=f"The process ID of its postmaster is {server.pid}.",
                hint="Terminate it before anyone uses it.",
                target=TargetState.STARTED,
            )
        stop.wait(TICK_S)
    return False
