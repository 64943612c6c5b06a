"""Start and stop the target's server, and wait for it as long as it makes progress."""

import time
from pathlib import Path

from pgpool_recovery.agent.directory.setting_home import home_of
from pgpool_recovery.agent.directory.swap import former_slot, note_failed_start
from pgpool_recovery.agent.server.progress import ServerProgress
from pgpool_recovery.agent.server.start_log import StartLog, setting_asker
from pgpool_recovery.domain.error import (
    Cancelled,
    Incomplete,
    RecoveryError,
    Refused,
    Undone,
    Unverified,
)
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.quantity import pretty_duration
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.installation import find_bin_directory
from pgpool_recovery.host.pidfile import PidFile, read_pid_file
from pgpool_recovery.host.program import run
from pgpool_recovery.host.start_method import PG_CTL, StartWay, find_way
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.system_failure import advice_on_log, failure_of_system
from pgpool_recovery.host.version_file import read_major
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.ping import PingAnswer, ping
from pgpool_recovery.talk.request.server import Start, Started, StopAtOnce, StopServer

TICK_S = 0.1
TOLD_EVERY_S = 10.0
PING_S = 3.0
"""The default of pg_isready."""
STOP_MARGIN_S = 10.0
"""How much longer than its own timeout a program that stops a server may take."""


def start(request: Start, stop: Stop, tell: Say) -> Started:
    """Start the server and wait until it accepts connections; one that does is left alone.

    Raises Incomplete with the last lines of its log when it ended, and Unverified when it has made
    no progress for `request.timeout_s`.
    """
    data = Path(request.data_directory).resolve()
    try:
        return _start(request, data, stop, tell)
    except Cancelled as cancelled:
        is_running = read_pid_file(data) is not None
        state = TargetState.STARTED if is_running else TargetState.COPIED
        raise cancelled.with_target(state) from cancelled


def _start(request: Start, data: Path, stop: Stop, tell: Say) -> Started:
    began = time.monotonic()
    bin_directory = bin_directory_of(data, request.bin_directories, stop)
    was_running = read_pid_file(data) is not None
    former_slot_name = former_slot(data)  # First, because the journal may not be readable.
    way = find_way(data, bin_directory, request.start_command, stop, tell)
    ask = setting_asker(data, bin_directory, major_of(data), stop)
    log = StartLog(data, way, ask, is_new=not was_running)
    control_before = _changed(data)
    try:
        if not was_running:
            tell(f"start the server with {way.name}")
            _run(way, data, log, request.timeout_s, stop)
        patience = Patience(began, request.timeout_s)
        server = _wait_until_ready(data, log, patience, stop, tell)
    except Incomplete as ended:
        hint = advice_on_log(ended.detail or "", data)
        if hint is not None:  # Its disk is at fault, not its data.
            state = ended.target
            raise Incomplete(ended.message, detail=ended.detail, hint=hint, target=state) from ended
        if _changed(data) != control_before:  # It had begun to use its data, which is at fault.
            try:
                note_failed_start(data)
            except (OSError, RecoveryError) as error:  # Still report why it ended.
                failure = failure_of_system(error) if isinstance(error, OSError) else error
                more = f"The failed start could not be recorded: {failure.message}."
                raise ended.with_more(more) from error
        raise
    return Started(
        was_running=was_running,
        bin_directory=str(bin_directory),
        is_standby=(data / "standby.signal").exists(),
        slot_name=slot_name(data, stop),
        former_slot_name=former_slot_name,
        port=server.port,
        log=log.position(),
    )


def slot_name(data: Path, stop: Stop) -> str | None:
    """Return the slot in the configuration of a standby, whether or not we wrote it."""
    return home_of(data, data, stop).value("primary_slot_name") or None


def _changed(data: Path) -> int:
    """Return when the control file was last written, in nanoseconds."""
    return (data / "global" / "pg_control").stat().st_mtime_ns


def stop_server(request: StopServer | StopAtOnce, stop: Stop, tell: Say | None = None) -> None:
    """Stop the server of a data directory in an orderly way, by the means of its host.

    The program that stops it gives up after `request.timeout_s`, but the server goes on shutting
    down. If there is a `tell`, this waits for it as long as its last checkpoint makes progress.
    Raises Undone when the server was not stopped.
    """
    data = Path(request.data_directory).resolve()
    if read_pid_file(data) is None:
        return
    bin_directory = bin_directory_of(data, request.bin_directories, stop)
    way = find_way(data, bin_directory, (), stop, lambda _line: None)
    argv, progress = way.stop_argv(request.timeout_s), ServerProgress(data)
    try:
        run(argv, stop, timeout_s=request.timeout_s + STOP_MARGIN_S).check()
    except Undone as error:
        progress.look()
        gets_on = progress.stands_still_s() < request.timeout_s
        if tell and gets_on and _has_stopped(data, progress, request.timeout_s, stop, tell):
            return
        message = f"could not stop the server: {error.message}"
        raise Undone(message, detail=error.detail, hint=error.hint) from error


@waits("the server to end")
def _has_stopped(
    data: Path, progress: ServerProgress, still_s: float, stop: Stop, tell: Say
) -> bool:
    """Wait for a server that shuts down; return False if it makes no progress for `still_s`."""
    told = 0.0
    while read_pid_file(data) is not None:
        progress.look()
        if progress.stands_still_s() > still_s:
            return False
        if time.monotonic() - told > TOLD_EVERY_S:
            told = time.monotonic()
            tell("the server is shutting down; its checkpoint is not complete yet")
        stop.wait(TICK_S)
    return True


def bin_directory_of(data: Path, bin_directories: tuple[str, ...], stop: Stop) -> Path:
    """Return where the programs of a data directory's major version are; raise Refused if none."""
    major = major_of(data)
    found = find_bin_directory(major, bin_directories, stop)
    if found is None:
        raise Refused(f"PostgreSQL {major} is not installed on this host")
    return Path(found)


def major_of(data: Path) -> int:
    """Return the major version of a data directory; raise Refused when it is not one."""
    try:
        return read_major(data)
    except (OSError, ValueError) as error:
        raise Refused(
            f"{data} is not a data directory",
            detail=f"Its PG_VERSION cannot be read: {_reason(error)}.",
            hint="Check backend_data_directory in pgpool.conf.",
        ) from error


def _reason(error: OSError | ValueError) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _run(way: StartWay, data: Path, log: StartLog, timeout_s: float, stop: Stop) -> None:
    """Run the command. Whether it worked is judged by the server, which may still be replaying.

    pg_ctl checks every tenth of a second whether the server accepts connections; pg_ctlcluster
    checks for the first time half a second after that. So the server is checked here as well, and
    the command need not be waited for once it is ready. A command that the user configured may do
    more, so it is always waited for.
    """
    said = None
    enough = None if way.does_more else lambda: _is_ready(data)
    try:
        said = run(
            way.argv, stop, timeout_s=timeout_s, leaves_server=True, is_enough=enough
        ).last_lines
    except Cancelled:
        raise
    except RecoveryError as error:
        said = "\n".join(text for text in (error.message, error.detail) if text)
    if read_pid_file(data) is None:
        raise _has_ended(log, stop, way.name, said)


def _is_ready(data: Path) -> bool:
    """Return whether the server accepts connections according to its pid file."""
    server = read_pid_file(data)
    return server is not None and server.is_ready


@waits("the server to accept connections")
def _wait_until_ready(
    data: Path, log: StartLog, patience: "Patience", stop: Stop, tell: Say
) -> PidFile:
    told, progress = time.monotonic(), ServerProgress(data)
    while progress.stands_still_s() < patience.timeout_s:
        progress.look()
        server = read_pid_file(data)
        if server is None:
            raise _has_ended(log, stop)
        if server.is_ready and _accepts(server):
            return server
        if time.monotonic() - told > TOLD_EVERY_S:
            told = time.monotonic()
            waited = pretty_duration(told - patience.began)
            tell(f"the server replays WAL and accepts no connections yet ({waited})")
        stop.wait(TICK_S)
    raise Unverified(
        "the server accepts no connections after "
        f"{pretty_duration(time.monotonic() - patience.began)}",
        detail=f"It is running, but its replay has made no progress for {patience.timeout_s:g} s.\n"
        f"{log.end()}".rstrip(),
        hint="Check its log and its process titles for what it waits for. Wait until it accepts "
        "connections, then attach the node. The setting start_s limits the time without progress.",
        target=TargetState.STARTED,
    )


def _accepts(server: PidFile) -> bool:
    """Return whether it answers at the address in its pid file, as pg_isready would."""
    where = {"host": server.host, "hostaddr": "", "port": str(server.port)}
    return ping(where, timeout_s=PING_S) is PingAnswer.UP


def _has_ended(
    log: StartLog, stop: Stop, name: str | None = None, said: str | None = None
) -> Incomplete:
    """Return why it ended; without pg_ctl's own message, which only points to the log."""
    text = log.cause(stop)
    is_of_use = said and not (name == PG_CTL and log.end())
    return Incomplete(
        "the server ended before it accepted connections",
        detail="\n".join([f"{name} printed:\n{said}", text] if is_of_use else [text]),
        hint="Fix what the log reports, then recover the node again.",
        target=TargetState.COPIED,
    )


@record
class Patience:
    """Since when a server is waited for, by the monotonic clock; how long it may stand still."""

    began: float
    timeout_s: float
