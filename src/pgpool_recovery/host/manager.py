"""Find out whether another tool manages a data directory, which a recovery must then leave alone.

What counts is whether the tool runs or will be started again. A file that it keeps in the data
directory proves nothing: it stays when the tool is removed, and comes along with every copy.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pgpool_recovery.domain.data_directory import LAST_START
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.process_table import Process, processes
from pgpool_recovery.files.text import read_text

UNITS = Path("/etc/systemd/system")
"""Where systemd has, in directories NAME.wants, a link to each unit that is started at boot."""
PATRONI, AUTO_FAILOVER, REPMGR = "Patroni", "pg_auto_failover", "repmgr"
MARKS = {
    PATRONI: ("patroni.dynamic.json",),
    AUTO_FAILOVER: ("postgresql-auto-failover.conf", "postgresql-auto-failover-standby.conf"),
}
"""Files that a manager keeps in the data directory."""
PATRONI_CONFIGURATIONS = ("etc/patroni.yml", "etc/patroni/*.yml", "etc/patroni/*.yaml")
PATRONIS_WORDS = ("--config-file=", "--cluster_name=", "--wal_level=")
"""Patroni starts every server with these options (CMDLINE_OPTIONS in
patroni/postgresql/config.py)."""
ROOT = Path("/")
REPMGRD = "repmgrd"
REPMGR_CONFIGURATIONS = (
    "/etc/repmgr.conf",
    "/etc/repmgr/{major}/repmgr.conf",
    "/etc/postgresql-common/repmgr.conf",
)
"""Where repmgr looks for its configuration: /etc, pg_config --sysconfdir, and the places of the
packages."""
DATA_DIRECTORY = r"^\s*{name}\s*[=:]\s*['\"]?([^'\"\n#]+?)['\"]?\s*(?:#.*)?$"


@record
class Program:
    """A program that runs on this host, as far as our user may inspect it."""

    process: Process
    words: tuple[str, ...]

    def is_called(self, name: str) -> bool:
        """Return whether it is the program of this name; a script has its interpreter first."""
        return name in map(os.path.basename, self.words[:2]) or self.words[1:3] == ("-m", name)

    def path(self, text: str) -> Path:
        """Return the file that a word names, relative to the working directory of the process."""
        try:
            return (self.process.directory / "cwd").readlink() / text
        except OSError:
            return Path("/") / text

    def variable(self, name: str) -> str | None:
        """Return a variable of its environment."""
        words = self.process.text("environ").split("\0")
        return next((w.removeprefix(f"{name}=") for w in words if w.startswith(f"{name}=")), None)

    def option(self, *names: str) -> Iterator[str]:
        """Yield the values of an option, from the same word or the next one."""
        for word, following in zip(self.words, [*self.words, ""][1:], strict=False):
            for name in names:
                if word == name:
                    yield following
                elif word.startswith(f"{name}=" if name.startswith("--") else name):
                    yield word.removeprefix(name).removeprefix("=")


def find_manager(data_directory: Path, major: int | None) -> str | None:
    """Return the name of the tool that manages a data directory, or None."""
    programs = list(_programs())
    if _is_patronis(data_directory, programs):
        return PATRONI
    if _is_auto_failovers(data_directory, programs):
        return AUTO_FAILOVER
    for program in programs:
        if program.is_called(REPMGRD):
            for file in _repmgr_configurations(program, major):
                if data_directory in _data_directories(file, "data_directory"):
                    return REPMGR
    return None


def find_marks(data_directory: Path) -> tuple[str, ...]:
    """Return the names of managers' files in a data directory, which may have come with a copy."""
    names = [name for marks in MARKS.values() for name in marks]
    return tuple(name for name in names if (data_directory / name).exists())


def _is_patronis(data_directory: Path, programs: Iterable[Program]) -> bool:
    """Return whether Patroni runs for a directory, or is only down, for example for maintenance.

    It counts as down, and not as removed, if at least two of four are true: its file is in the
    directory, a configuration on this host names the directory, a unit is started at boot, and
    Patroni started the server there the last time. A copy brings only the first, since no base
    backup contains postmaster.opts (excludeFiles in basebackup.c). A removed Patroni may leave any
    one of them behind.
    """
    has_mark = bool(_marks_of(PATRONI, data_directory))
    for program in programs:
        if program.is_called("patroni"):
            found = set(_directories_of_patroni(program))
            if data_directory in found or (not found and has_mark):
                return True
    named = (_data_directories(file, "data_dir") for file in _patroni_configurations())
    is_named = any(data_directory in directories for directories in named)
    is_enabled = bool(_enabled("patroni*.service"))
    has_started = all(word in _text(data_directory / LAST_START) for word in PATRONIS_WORDS)
    return has_mark + is_named + is_enabled + has_started >= 2


def _is_auto_failovers(data_directory: Path, programs: Iterable[Program]) -> bool:
    """Return whether pg_autoctl runs for a directory, or a unit starts it at boot.

    Its files alone do not count, since they stay after pg_autoctl drop node.
    """
    has_mark = bool(_marks_of(AUTO_FAILOVER, data_directory))
    for program in programs:
        title = program.words[0] if program.words else ""
        if program.is_called("pg_autoctl") or title.startswith("pg_autoctl:"):
            named = list(program.option("--pgdata", "-D"))
            named += [value for value in [program.variable("PGDATA")] if value]
            found = {program.path(text).resolve() for text in named}
            if data_directory in found or (not found and has_mark):
                return True
    units = _enabled("pgautofailover*.service")
    return has_mark and any(str(data_directory) in _text(unit) for unit in units)


def _marks_of(name: str, data_directory: Path) -> list[str]:
    return [mark for mark in MARKS[name] if (data_directory / mark).exists()]


def _directories_of_patroni(program: Program) -> Iterator[Path]:
    """Yield the data directory of a running Patroni; none if its configuration cannot be read."""
    given = program.variable("PATRONI_POSTGRESQL_DATA_DIR")
    if given:
        yield program.path(given).resolve()
    for word in program.words[1:]:
        if word.endswith((".yml", ".yaml")):
            yield from _data_directories(program.path(word), "data_dir")


def _patroni_configurations() -> Iterator[Path]:
    for pattern in PATRONI_CONFIGURATIONS:
        yield from ROOT.glob(pattern)
    for unit in _enabled("patroni*.service"):
        for word in re.findall(r"/\S+\.ya?ml", _text(unit)):
            yield Path(word)


def _enabled(pattern: str) -> list[Path]:
    return list(UNITS.glob(f"*.wants/{pattern}"))


def _repmgr_configurations(program: Program, major: int | None) -> Iterator[Path]:
    """Yield the configuration file of a repmgrd, or the places where it looks for one."""
    named = list(program.option("--config-file", "-f"))
    usual = [pattern.format(major=major) for pattern in REPMGR_CONFIGURATIONS]
    yield from map(program.path, named or ["repmgr.conf", *usual])


def _programs() -> Iterator[Program]:
    for process in processes():
        if words := process.words:
            yield Program(process, tuple(words))


def _data_directories(file: Path, name: str) -> list[Path]:
    found = re.findall(DATA_DIRECTORY.format(name=name), _text(file), re.MULTILINE)
    return [Path(path).resolve() for path in found]


def _text(file: Path) -> str:
    try:
        return read_text(file)
    except OSError:
        return ""
