"""Collect what a server logs from the moment it is started, wherever that goes.

It logs to its standard error, and to the files in `current_logfiles` once its logging collector
runs. A server that dies before that leaves the list of its previous run. So only what has been
written since the start counts, in each of the files, which are identified by device and inode.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import find_configuration
from pgpool_recovery.agent.directory.effective_value import defaults
from pgpool_recovery.agent.directory.own_files import own_directory
from pgpool_recovery.domain.data_directory import AUTO_CONFIGURATION, LOG_DIRECTORIES
from pgpool_recovery.domain.error import Cancelled, RecoveryError
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.files.text import bytes_of, read_lines
from pgpool_recovery.host.log_entry import (
    KEPT_LINES,
    STRUCTURED,
    LogEntry,
    read_entries,
    told_lines,
)
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.program import run
from pgpool_recovery.host.server_log import CONNINFO, about_itself, own_lines, without_secrets
from pgpool_recovery.host.setting_source import find_sources
from pgpool_recovery.host.start_method import StartWay
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.server import FindLog, LogPosition

CURRENT = "current_logfiles"
KINDS = ("stderr", "csvlog", "jsonlog")
"""The most readable first; if there are several, all have the same entries."""
MAX_FILES = 10_000
MAX_BYTES = 256 * 1024
LAST_BYTES = 16384
"""How much of the log of a running server is read."""
MAX_LIST_BYTES = 8192
ASKED_S = 10.0
JOURNAL_LINES = "50"

Identity = tuple[int, int]
AskSetting = Callable[[str], str | None]
"""Returns the value that the server would have for a setting; None if it cannot read its files."""


@record
class Told:
    """A file that a server wrote to, and the last lines that it wrote there since its start."""

    file: str
    lines: tuple[str, ...]
    has_cause: bool

    @property
    def text(self) -> str:
        """The lines for a person, with the name of the file."""
        return _ends(self.file, *self.lines)


class StartLog:
    """The logs of a server that is being started: only what it writes from now on counts.

    `is_new`: it is not running yet. If it already is, everything in its files counts.
    """

    def __init__(self, data: Path, way: StartWay, ask: AskSetting, *, is_new: bool) -> None:
        self._data = data
        self._standard_error = way.log_file
        self._unit = way.unit
        self._ask = ask
        self._is_new = is_new
        self._since_s = int(time.time())
        self._list_before = _identity_and_time(data / CURRENT)
        self._sizes = dict(self._known()) if is_new else {}

    def _known(self) -> Iterator[tuple[Identity, int]]:
        """Yield the size of each file to which the server may append."""
        directories = {self._data / name for name in LOG_DIRECTORIES}
        directories |= {Path(file).parent for file in collected(self._data).values()}
        directory = self._ask("log_directory")
        if directory:
            directories.add(self._data / directory)
        files = [file for each in directories for file in islice(_files(each), MAX_FILES)]
        if self._standard_error is not None:
            files.append(Path(self._standard_error))
        for file in files:
            try:
                status = file.stat()
            except OSError:
                continue
            yield (status.st_dev, status.st_ino), status.st_size

    def position(self) -> LogPosition | None:
        """Return the file that the server writes now, and the offset at which its lines begin."""
        file = next(iter(self._collected_now().values()), self._standard_error)
        return None if file is None else LogPosition(file, self._begin(file))

    def end(self) -> str:
        """Return the end of what it has written, with the file; an empty text if there is none.

        A server that was already running may have had users, whose statements are not reported.
        """
        if self._is_new:
            return "\n".join(one.text for one in self.told())
        log = self.position()
        text = last_lines(log)
        return "" if log is None or not text else _ends(log.file, text)

    def cause(self, stop: Stop) -> str:
        """Return what a server that has ended logged, or where a person must look for it."""
        told = self.told()
        text = self.end()
        if any(one.has_cause for one in told):
            return text
        return "\n".join(filter(None, [text, *self._elsewhere(stop)])) or self._nowhere()

    def _elsewhere(self, stop: Stop) -> Iterator[str]:
        """Yield what a server logged that writes to no file, and the place where that is.

        systemd captures the standard error of what it starts, and log_destination may be syslog.
        This user may not be allowed to read either of them.
        """
        if "syslog" in (self._ask("log_destination") or ""):
            ident = self._ask("syslog_ident") or "postgres"
            yield f'It logs to syslog, as "{ident}"; on its host: journalctl -t {ident}.'
            yield from _journal(("-t", ident), self._since_s, stop)
        elif self._unit is not None and self._standard_error is None:
            yield f"Its standard error is in the journal; on its host: journalctl -u {self._unit}."
            yield from _journal(("-u", self._unit), self._since_s, stop)

    def _nowhere(self) -> str:
        if self._standard_error is None:
            return "It left no log in a known place."
        return f"It wrote nothing to {self._standard_error}."

    def told(self) -> list[Told]:
        """Return what a server that has not accepted a session yet has written.

        What it wrote before the collector ran is only included if there is nothing else, or if it
        says why the server ended.
        """
        first = self._told(self._standard_error)
        for file in self._collected_now().values():
            then = self._told(file)
            if then is not None:
                return [one for one in (first, then) if one and (one is then or one.has_cause)]
        return [] if first is None else [first]

    def _collected_now(self) -> Mapping[str, str]:
        """Return the collector's files; none if the list is still that of an earlier run."""
        is_of_before = _identity_and_time(self._data / CURRENT) == self._list_before
        return {} if self._is_new and is_of_before else collected(self._data)

    def _begin(self, file: str) -> int:
        try:
            status = Path(file).stat()
        except OSError:
            return 0
        before = self._sizes.get((status.st_dev, status.st_ino), 0)
        return before if before <= status.st_size else 0  # A smaller file was truncated.

    def _told(self, file: str | None) -> Told | None:
        if file is None:
            return None
        entries = entries_since(LogPosition(file, self._begin(file)), MAX_BYTES)
        if not entries:
            return None
        has_cause = any(entry.is_fatal for entry in entries)
        return Told(file, tuple(_safe(told_lines(map(_without_conninfo, entries)))), has_cause)


def _ends(file: str, *lines: str) -> str:
    return "\n".join((f"The server's log {file} ends with:", *lines))


def collected(data: Path) -> Mapping[str, str]:
    """Return the files of the logging collector by kind, the most readable first."""
    found = {}
    try:
        lines = read_lines(data / CURRENT, MAX_LIST_BYTES)
    except OSError:
        return {}
    for line in lines:
        kind, _, name = line.partition(" ")
        if name:
            found[kind] = str(data / name)
    return {kind: found[kind] for kind in KINDS if kind in found}


def entries_since(log: LogPosition, limit_bytes: int) -> list[LogEntry]:
    """Return the entries of a log from a position on, but only from its last `limit_bytes`."""
    try:
        with Path(log.file).open("rb") as file:
            begin = os.fstat(file.fileno()).st_size - limit_bytes
            file.seek(max(log.offset, begin))
            data = file.read(limit_bytes)
    except OSError:
        return []
    return read_entries(data, log.file, is_cut=begin > log.offset)


def _journal(words: tuple[str, ...], since_s: int, stop: Stop) -> Iterator[str]:
    if shutil.which("journalctl") is None:
        return
    argv = ["journalctl", "--quiet", "--no-pager", "-o", "cat", "-n", JOURNAL_LINES]
    try:
        said = run([*argv, "--since", f"@{since_s}", *words], stop, timeout_s=ASKED_S)
    except Cancelled:
        raise
    except RecoveryError:
        return
    if said.status == 0 and said.output.strip():
        yield "The journal ends with:"
        yield from _safe(told_lines(read_entries(bytes_of(said.output), "journal")))


def setting_asker(data: Path, bin_directory: Path, major: int, stop: Stop) -> AskSetting:
    """Return a function that queries the server's own program, which loads no libraries for that.

    A setting that is in no file is not queried, because its value is built in.
    """

    def ask(name: str) -> str | None:
        try:
            found = find_configuration(data, stop)
            if found is None:
                return None
            sources = find_sources([found[0], own_directory(data) / AUTO_CONFIGURATION])
            built_in = defaults([name], sources.settings, major) if sources.is_whole else {}
            if name in built_in:
                return built_in[name]
            argv = [str(bin_directory / "postgres"), "-D", str(data), "-c"]
            argv += [f"data_directory={data}", "-c", f"config_file={found[0]}", "-C", name]
            completed = run(argv, stop)
        except Cancelled:
            raise
        except RecoveryError:
            return None
        return completed.output.rstrip("\n").split("\n")[-1] if completed.status == 0 else None

    return ask


def find_log(request: FindLog, earlier: LogPosition | None = None) -> LogPosition | None:
    """Return the log of a running server, from where it ended `earlier`, or from its present end.

    The file was chosen by the user who started the server. What it already contains is not about
    this recovery.
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
    file = next(iter(collected(data).values()), None)
    if file is None:
        standard_error = Path(f"/proc/{server.pid}/fd/2")
        if not standard_error.is_file():
            return None  # It is a terminal, a pipe or the journal.
        file = str(standard_error.readlink())
    return file


def last_lines(log: LogPosition | None) -> str:
    """Return the last lines of the log of a server that accepts connections, or did.

    An empty text when no log can be read. Only lines about the server itself are returned, because
    the statements of its users must not be reported.
    """
    found = [] if log is None else entries_since(log, LAST_BYTES)
    entries = list(map(_without_conninfo, found))
    if log is None or not entries:
        return ""
    if Path(log.file).suffix in STRUCTURED:
        lines = own_lines(entries)
    else:
        lines = about_itself("\n".join(line for one in entries for line in one.lines)).split("\n")
    text = "\n".join(_safe(lines[-KEPT_LINES:]))
    return text or f"(nothing about the server itself; all of it: {log.file})"


def _safe(lines: Iterable[str]) -> Iterator[str]:
    return map(without_secrets, lines)


def _without_conninfo(entry: LogEntry) -> LogEntry:
    """Return an entry without further lines of a connection string, which may have secrets."""
    return replace(entry, lines=entry.lines[:1]) if CONNINFO in entry.lines[0] else entry


def _files(directory: Path) -> Iterator[Path]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                yield Path(entry.path)
    except OSError:
        return


def _identity_and_time(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except OSError:
        return 0
