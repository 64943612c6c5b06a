"""Start the target's server and wait for it; tell "replaying" from "dead"."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pgpool_recovery.agent.configuration import read_auto_settings
from pgpool_recovery.agent.installation import find_bin_directory
from pgpool_recovery.agent.pidfile import PidFile, read_pid_file
from pgpool_recovery.agent.program import KEPT_LINES, Stop, run
from pgpool_recovery.agent.protocol import (
    FindLog,
    LogPosition,
    Start,
    Started,
    StopAtOnce,
    StopServer,
)
from pgpool_recovery.agent.server_log import about_itself, without_token
from pgpool_recovery.agent.start_way import StartWay, find_way
from pgpool_recovery.agent.swap import former_slot, note_failed_start
from pgpool_recovery.agent.system_failure import advice_on_log, failure_of_system
from pgpool_recovery.domain.error import (
    Cancelled,
    Incomplete,
    RecoveryError,
    Refused,
    Undone,
    Unverified,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.files.text import read_lines, read_text, text_of

TICK_S = 0.1
TOLD_EVERY_S = 10.0
LAST_BYTES = 16384
CONNINFO = "primary_conninfo"
STOP_MARGIN_S = 10.0
"""What a program that stops a server may take longer than it was told."""

Tell = Callable[[str], None]


def start(request: Start, stop: Stop, tell: Tell) -> Started:
    """Start the server and wait until it accepts connections; one that does is left alone.

    Raises Incomplete with the last lines of its log when it ended, and Unverified when it still
    replays after the time limit.
    """
    data = Path(request.data_directory).resolve()
    began = time.monotonic()
    bin_directory = bin_directory_of(data, request.bin_directories, stop)
    was_running = read_pid_file(data) is not None
    way = find_way(data, bin_directory, request.start_command, stop, tell)
    log = Log(data, way, is_new=not was_running)
    control_before = _changed(data)
    try:
        if not was_running:
            tell(f"start the server with {way.name}")
            _run(way, data, log, request.timeout_s, stop)
        patience = Patience(began, request.timeout_s)
        server = _wait_until_ready(data, log, bin_directory, patience, stop, tell)
    except Cancelled as cancelled:
        is_running = read_pid_file(data) is not None
        state = TargetState.STARTED if is_running else TargetState.COPIED
        raise cancelled.with_target(state) from cancelled
    except Incomplete as ended:
        hint = advice_on_log(ended.detail or "", data)
        if hint is not None:  # Its disk is at fault, and not its data.
            state = ended.target
            raise Incomplete(ended.message, detail=ended.detail, hint=hint, target=state) from ended
        if _changed(data) != control_before:  # It got as far as its data, which is at fault.
            try:
                note_failed_start(data)
            except OSError as error:  # Why the server ended is what has to be told.
                more = f"Nor could that be counted: {failure_of_system(error).message}."
                raise ended.with_more(more) from error
        raise
    return Started(
        was_running=was_running,
        bin_directory=str(bin_directory),
        is_standby=(data / "standby.signal").exists(),
        slot_name=slot_name(data),
        former_slot_name=former_slot(data),
        port=server.port,
        log=log.position(),
    )


def slot_name(data: Path) -> str | None:
    """Return the slot by which a standby streams that we have configured."""
    return read_auto_settings(data).get("primary_slot_name")


def _changed(data: Path) -> int:
    """Return when the control file was written last, in nanoseconds."""
    return (data / "global" / "pg_control").stat().st_mtime_ns


def stop_server(request: StopServer | StopAtOnce, stop: Stop) -> None:
    """Stop the server of a data directory in an orderly way, as its host does that."""
    data = Path(request.data_directory).resolve()
    if read_pid_file(data) is None:
        return
    bin_directory = bin_directory_of(data, request.bin_directories, stop)
    way = find_way(data, bin_directory, (), stop, lambda _line: None)
    argv = way.stop_argv(request.timeout_s)
    try:
        run(argv, stop, timeout_s=request.timeout_s + STOP_MARGIN_S).check()
    except Undone as error:
        message = f"could not stop the server: {error.message}"
        raise Undone(message, detail=error.detail, hint=error.hint) from error


def find_log(request: FindLog, earlier: LogPosition | None = None) -> LogPosition | None:
    """Return the log of a server that runs, from where it ended `earlier` or ends now.

    Whoever started the server chose the file, and what it wrote since then is not about us.
    """
    file = _file_of_log(Path(request.data_directory).resolve())
    if file is None:
        return None
    if earlier is not None:
        return earlier if earlier.file == file else LogPosition(file, 0)
    return LogPosition(file, _size(file))


def _file_of_log(data: Path) -> str | None:
    server = read_pid_file(data)
    if server is None:
        return None
    file = _collected(data)
    if file is None:
        standard_error = Path(f"/proc/{server.pid}/fd/2")
        if not standard_error.is_file():
            return None  # It is a terminal, a pipe or the journal.
        file = str(standard_error.readlink())
    return file


def bin_directory_of(data: Path, bin_directories: tuple[str, ...], stop: Stop) -> Path:
    """Return where the programs of a data directory's major version are; Refused without any."""
    try:
        major = int(read_text(data / "PG_VERSION").split(".")[0])
    except (OSError, ValueError) as error:
        raise Refused(
            f"{data} is not a data directory",
            detail=f"Its PG_VERSION cannot be read: {_reason(error)}.",
            hint="Check backend_data_directory in pgpool.conf.",
        ) from error
    found = find_bin_directory(major, bin_directories, stop)
    if found is None:
        raise Refused(f"there are no programs of PostgreSQL {major} on this host")
    return Path(found)


def _reason(error: OSError | ValueError) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _run(way: StartWay, data: Path, log: "Log", timeout_s: float, stop: Stop) -> None:
    """Run the command; whether it worked is seen by the server, which may still replay."""
    said = None
    try:
        said = run(way.argv, stop, timeout_s=timeout_s, leaves_server=True).last_lines
    except Cancelled:
        raise
    except RecoveryError as error:
        said = "\n".join(text for text in (error.message, error.detail) if text)
    if read_pid_file(data) is None:
        raise _has_ended(log, way.name, said)


def _wait_until_ready(
    data: Path, log: "Log", bin_directory: Path, patience: "Patience", stop: Stop, tell: Tell
) -> PidFile:
    told = time.monotonic()
    while time.monotonic() - patience.began < patience.timeout_s:
        server = read_pid_file(data)
        if server is None:
            raise _has_ended(log)
        if server.is_ready and _accepts(server, bin_directory, stop):
            return server
        if time.monotonic() - told > TOLD_EVERY_S:
            told = time.monotonic()
            waited_s = told - patience.began
            tell(f"the server replays WAL, it accepts no connections yet ({waited_s:.0f} s)")
        stop.wait(TICK_S)
    raise Unverified(
        f"the server accepts no connections after {patience.timeout_s:g} s",
        detail=f"It runs and replays WAL. Its log ends:\n{log.end()}",
        hint="Wait for it, then attach the node. start_s in the settings says how long to wait.",
        target=TargetState.STARTED,
    )


def _accepts(server: PidFile, bin_directory: Path, stop: Stop) -> bool:
    argv = [str(bin_directory / "pg_isready"), "-q", "-h", server.host, "-p", str(server.port)]
    return run(argv, stop).status == 0


def _has_ended(log: "Log", name: str | None = None, said: str | None = None) -> Incomplete:
    text = log.end()
    detail = [f"{name} said:\n{said}"] if said else []
    detail += [f"The server's log ends:\n{text}"] if text and text not in (said or "") else []
    return Incomplete(
        "the server ended before it accepted connections",
        detail="\n".join(detail) or "It left no log.",
        hint="Mend what it says, then recover the node again.",
        target=TargetState.COPIED,
    )


@dataclass(frozen=True)
class Patience:
    """Since when something is waited for, on the monotonic clock, and how long it may take."""

    began: float
    timeout_s: float


class Log:
    """The log of a server that is being started: only what it writes from now on counts."""

    def __init__(self, data: Path, way: StartWay, *, is_new: bool) -> None:
        self._data = data
        self._standard_error = way.log_file
        self._is_new = is_new
        self._file_before = self._file()
        self._size_before = _size(self._file_before) if is_new else 0

    def end(self) -> str:
        """Return its last lines, for a server that does not accept connections."""
        return last_lines(self.position(), is_without_sessions=self._is_new)

    def position(self) -> LogPosition | None:
        """Return the file that the server writes now, and where its lines begin."""
        file = self._file()
        if file is None:
            return None
        return LogPosition(file, self._size_before if file == self._file_before else 0)

    def _file(self) -> str | None:
        """Return the logging collector's own file, or where standard error goes."""
        return _collected(self._data) or self._standard_error


def _collected(data: Path) -> str | None:
    """Return the file of the logging collector, when one runs and writes text."""
    current = data / "current_logfiles"
    if current.exists():
        for line in read_lines(current):
            kind, _, name = line.partition(" ")
            if kind == "stderr":
                return str(data / name)
    return None


def _size(file: str | None) -> int:
    try:
        return 0 if file is None else Path(file).stat().st_size
    except OSError:
        return 0


def last_lines(log: LogPosition | None, *, is_without_sessions: bool = False) -> str:
    """Return the last lines of a log; nothing when there is none that can be read.

    Of a server that accepts connections only what it says of itself, for its users' statements are
    nobody's business here. One that has come from its start to no connection has no users.
    """
    if log is None:
        return ""
    try:
        with Path(log.file).open("rb") as file:
            begin = os.fstat(file.fileno()).st_size - LAST_BYTES
            file.seek(max(log.offset, begin))
            text = text_of(file.read(LAST_BYTES)).rstrip()
    except OSError:
        return ""
    if begin > log.offset:
        text = text.partition("\n")[2]  # What is left of a line may be any part of it.
    if text and not is_without_sessions:
        text = about_itself(text) or f"(nothing about the server itself; all of it: {log.file})"
    return "\n".join(map(without_secrets, text.split("\n")[-KEPT_LINES:]))


def without_secrets(line: str) -> str:
    """Return a line of a server's words without those of its files that are nobody's business."""
    return without_token(without_conninfo(line))


def without_conninfo(line: str) -> str:
    """Return a line of a server's log without the connection string that it shows.

    A server that reloads logs the new value of what was changed, passwords included
    (ProcessConfigFileInternal in guc.c), in the language of its messages; the log goes to others.

    >>> without_conninfo('LOG:  parameter "primary_conninfo" changed to "user=a password=b"')
    'LOG:  parameter "primary_conninfo" …'
    >>> without_conninfo("LOG:  started streaming WAL from primary")
    'LOG:  started streaming WAL from primary'
    """
    before, name, _ = line.partition(CONNINFO)
    return f'{before}{name}" …' if name else line
