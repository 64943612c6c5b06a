"""Have a command of the settings make the data directory: start it, listen to it, end it."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from pgpool_recovery.agent.directory.own_files import withdraw_own_files
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.agent.method.made_directory import put_in_order
from pgpool_recovery.domain.error import Undone, reason_of
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.placeholder import filled
from pgpool_recovery.domain.wal import Point, TimelineId, parse_lsn
from pgpool_recovery.facts.step.transfer import RunCommand
from pgpool_recovery.files.trust import Untrusted, check_file, mine_and_roots
from pgpool_recovery.host.leftover_process import end_leftovers_with
from pgpool_recovery.host.meter import Meter
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.in_server.pid_file import PID_FILE_NAME
from pgpool_recovery.postgres.conninfo import format_conninfo

NAME = "command"
PREFIX = "PGPOOL_RECOVERY_"
DIRECTORY = f"{PREFIX}DIRECTORY"
"""The variable by which the processes of a command are found, also after the agent is gone."""
CANNOT = 75
"""EX_TEMPFAIL of sysexits.h: the command could not make the data, and has changed nothing."""
PROGRESS = re.compile(r"progress: (\d{1,18}) (\d{1,18})")
END = re.compile(r"backup-end: (\d{1,10}) ([0-9A-F]{1,8}/[0-9A-F]{1,8})", re.IGNORECASE)
FREE_LINES = 500
LINES_PER_S = 5.0


class CouldNot(Exception):
    """The command says that it could not make the data and changed nothing."""

    def __init__(self, error: Undone) -> None:
        super().__init__(error.message)
        self.error = error


def look_for_programs(programs: tuple[str, ...]) -> tuple[str | None, ...]:
    """Return for each program why it cannot be run on this host; None if it can."""
    return tuple(map(_problem, programs))


def _problem(program: str) -> str | None:
    try:
        check_file(Path(program), mine_and_roots())
    except Untrusted as untrusted:
        return f"{untrusted.why}, so another user could decide what is run."
    except OSError as error:
        return f"{reason_of(error)}."
    return None if os.access(program, os.X_OK) else "It is not executable."


def run_command(step: RunCommand, own_login: OwnLogin, stop: Stop, emit: Emit) -> Point | None:
    """Run the command until it ends, and put in order what it made; return where its backup ends.

    None if it does not say so. Raises CouldNot if it has changed nothing; Undone if it fails, runs
    or is silent for too long, or if a server could not be started on what it made. Then none of its
    processes is left that it has not hidden by another user or another environment.
    """
    new, method = Path(step.places.data.new), step.method
    problem = _problem(method.command[0])
    if problem is not None:
        raise CouldNot(Undone(f"cannot run {method.command[0]}", detail=problem))
    end_leftovers_with(DIRECTORY, str(new))  # They are from an agent that was killed.
    _prepare(step)
    lines = Lines(emit, method.stall_s)
    with own_login.for_program(step.conninfo) as (conninfo, secrets):
        values = values_of(step, conninfo)
        variables = {f"{PREFIX}{name.upper()}": value for name, value in values.items()}
        try:
            said = run(
                filled(method.command, values),
                _Watch(stop, lines, method.name),
                # no limit: without timeout_s, it may run until it is cancelled
                timeout_s=method.timeout_s,
                on_line=lines.take,
                environment={**variables, **secrets},
                directory=str(new),
            )
        finally:
            lines.end()
            had_server = _end_all(step)
    what = f"the command of method {method.name}"
    if said.status == CANNOT:
        raise CouldNot(Undone(f"{what} could not make the data", detail=said.last_lines or None))
    said.check()
    if had_server:
        raise Undone(f"{what} left a server running in {new}", detail="It was ended.")
    put_in_order(step, what)
    for directory in {str(new), *step.locations.values()}:
        # no limit: a disk takes as long as it takes, and a cancel ends the program
        run(["sync", "--file-system", directory], stop, timeout_s=None).check()
    return lines.backup_end


def values_of(step: RunCommand, conninfo: Mapping[str, str]) -> dict[str, str]:
    """Return what the command is told: as placeholders, and as environment variables."""
    method, places = step.method, step.places
    return {
        "method": method.name,
        "node": step.node,
        "directory": places.data.new,
        "data_directory": places.data.path,
        "keep_data": "yes" if method.keep_data else "no",
        "tablespaces": "\n".join(f"{oid}={where}" for oid, where in step.locations.items()),
        "primary_host": conninfo.get("host", ""),
        "primary_port": conninfo.get("port", ""),
        "primary_user": conninfo.get("user", ""),
        "primary_conninfo": format_conninfo(dict(conninfo)),
        "slot": step.slot_name,
        "system_identifier": step.system_identifier,
        "major": str(step.major),
        "bin_directory": step.bin_directory,
    }


class Lines:
    """What a command prints: it is passed on, but no faster than a person or a disk can take it."""

    def __init__(self, emit: Emit, stall_s: float | None) -> None:
        self._emit = emit
        self._meter = Meter(emit)
        self._began = self.last = time.monotonic()
        self._said = self._withheld = 0
        self.stall_s = stall_s
        self.backup_end: Point | None = None

    def take(self, line: str) -> None:
        """Pass a line on, or understand it."""
        self.last = time.monotonic()
        if found := PROGRESS.fullmatch(line.strip()):
            self._meter.tell(int(found[1]), int(found[2]))
        elif found := END.fullmatch(line.strip()):
            self.backup_end = Point(TimelineId(int(found[1])), parse_lsn(found[2]))
        elif self._said < FREE_LINES + LINES_PER_S * (self.last - self._began):
            self._said += 1
            self._emit(Said(NAME, line))
        else:
            self._withheld += 1

    @property
    def silent_s(self) -> float:
        """How long it has printed nothing."""
        return time.monotonic() - self.last

    def end(self) -> None:
        """Report how much was not passed on."""
        if self._withheld:
            self._emit(Said(NAME, f"{self._withheld} more lines were not kept"))


class _Watch(Stop):
    """The agent's request to stop, and the limit for the silence of a command."""

    def __init__(self, stop: Stop, lines: Lines, name: str) -> None:
        super().__init__()
        self._stop = stop
        self._lines = lines
        self._name = name

    def got_on(self, count: int = 0) -> None:
        """Note that the command does something."""
        self._stop.got_on(count)

    def check(self) -> None:
        """Raise Cancelled when a stop was requested, and Undone when the command is silent."""
        self._stop.check()
        stall_s = self._lines.stall_s
        if stall_s is not None and self._lines.silent_s > stall_s:
            raise Undone(f"the command of method {self._name} printed nothing for {stall_s:g} s")


def _prepare(step: RunCommand) -> None:
    """Give the command its directories, without the files of the node that must survive it."""
    new = Path(step.places.data.new)
    make_directory(new)
    for location in step.locations.values():
        make_directory(Path(location))
    if not step.method.keep_data:
        for directory in (str(new), *step.locations.values()):
            if any(Path(directory).iterdir()):  # Such as what an interrupted copy left.
                raise Undone(f"{directory} is not empty, so a command cannot be run there")
    if step.method.keep_data:
        remove(new / PID_FILE_NAME)  # A crash left it behind.
        withdraw_own_files(new)


def _end_all(step: RunCommand) -> bool:
    """End what the command has left running; return whether a server was."""
    new = step.places.data.new
    try:
        server = read_pid_file(Path(new))
        if server is not None:  # It then leaves no shared memory behind.
            run([f"{step.bin_directory}/pg_ctl", "stop", "-m", "immediate", "-D", new], Stop())
    finally:
        end_leftovers_with(DIRECTORY, new)
    return server is not None
