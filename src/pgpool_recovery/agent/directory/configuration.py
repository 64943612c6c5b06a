"""The configuration that a server of this host would start with, and the settings of a standby."""

import os
import shlex
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from pgpool_recovery.agent.directory.effective_value import defaults, effective_values
from pgpool_recovery.agent.directory.modes import kept_mode
from pgpool_recovery.agent.directory.own_files import own_directory, own_entries
from pgpool_recovery.agent.directory.own_login import OwnLogin, name_of_service
from pgpool_recovery.domain.control_file import STANDBY_PARAMETERS
from pgpool_recovery.domain.data_directory import AUTO_CONFIGURATION
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.facts.facts import Configuration
from pgpool_recovery.facts.leftover import (
    COMMANDS,
    DELAY,
    LEADING,
    TAKEN_OUT,
    TIMELINE,
    TRIGGER_FILE,
    TRIGGER_FILE_UNTIL,
    Leftover,
    is_default,
    told_value,
)
from pgpool_recovery.files.text import lines_of, read_text
from pgpool_recovery.files.write import write_file
from pgpool_recovery.host.command_line import Given, given_at_last_start
from pgpool_recovery.host.debian import find_cluster
from pgpool_recovery.host.setting_source import LINE, Sources, find_sources
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.plan.inherited import inherited
from pgpool_recovery.postgres.conninfo import parse_conninfo

NOWHERE = Path("/nowhere")
WHERE = ("host", "hostaddr", "port", "user", "dbname")
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
TOLD_PARAMETERS = ("port", "hot_standby", "log_directory", "primary_slot_name", "restore_command")
OTHER_PARAMETERS = (*TOLD_PARAMETERS, "primary_conninfo")
PARAMETERS_SINCE = {17: ("sync_replication_slots",)}
"""Settings by the first major version that has them; `postgres -C` fails for an unknown one."""

NAMES = ("cluster_name",)
"""Settings that name a standby to its primary when its primary_conninfo does not."""
LEFT_OVER = (*TAKEN_OUT, TIMELINE, DELAY, *COMMANDS)


def find_configuration(data_directory: Path, stop: Stop) -> tuple[Path, bool] | None:
    """Return postgresql.conf and whether it is in the data directory; None if there is none."""
    inside = own_directory(data_directory) / "postgresql.conf"
    if inside.exists():
        return inside, True
    cluster = find_cluster(data_directory, stop)
    return None if cluster is None else (cluster.configuration_file, False)


def read_configuration(
    data_directory: Path,
    bin_directory: Path,
    stop: Stop,
    own_login: OwnLogin,
    given: Sequence[Given] = (),
    major: int | None = None,
) -> Configuration | None:
    """Return the effective values as the server itself reads them; None without a postgresql.conf.

    `own_login` receives the whole primary_conninfo, including its secrets. `given` are the settings
    on the command line that will start the server; `major` is None when it is not known. Raises
    Refused when other users can write to the data directory, and when the server cannot read its
    configuration, with the server's own message.
    """
    own_login.conninfo = {}
    found = find_configuration(data_directory, stop)
    if found is None:
        return None
    file, is_inside = found
    own = own_directory(data_directory)
    if not is_trusted(own):
        if not is_inside and not own_entries(own):
            own = NOWHERE  # A file that is put there at this very moment must not be read.
        else:
            raise _open_to_others(own)
    sources = find_sources([file, own / AUTO_CONFIGURATION])
    values = _effective_values(file, own, bin_directory, stop, given, sources, major)
    # A name given on the command line of the last start is lost when we start the server.
    values.update({one.name: one.value for one in given_at_last_start(own) if one.name in NAMES})
    conninfo = parse_conninfo(values["primary_conninfo"])
    own_login.conninfo = {**name_of_service(conninfo), **conninfo}
    conninfo_source = sources.settings.get("primary_conninfo")
    return Configuration(
        file=str(file),
        is_inside=is_inside,
        values={name: values[name] for name in _told(values)},
        primary_conninfo=without_secrets(own_login.conninfo),
        leftovers=tuple(_leftovers(values, given, sources)),
        trigger_file=_trigger_file(values, data_directory),
        conninfo_place=None if conninfo_source is None else str(conninfo_source),
    )


def _told(values: Mapping[str, str]) -> list[str]:
    """Return the names of the settings that the runner may know."""
    newer = [name for names in PARAMETERS_SINCE.values() for name in names if name in values]
    named = [name for name in NAMES if name in values]
    return [*STANDBY_PARAMETERS, *TOLD_PARAMETERS, *named, *newer]


def _further(sources: Sources, given: Sequence[Given], major: int | None) -> list[str]:
    """Return further settings to query: possible leftovers, and those of newer releases only.

    Each query costs a process, and a setting that is in no file has its default.
    """
    newer = [n for since, names in PARAMETERS_SINCE.items() if (major or 0) >= since for n in names]
    has_trigger = major is not None and major <= TRIGGER_FILE_UNTIL
    names = [*LEFT_OVER, *NAMES, *([TRIGGER_FILE] if has_trigger else [])]
    named = {*sources.settings, *(one.name for one in given)}
    left = [name for name in names if name in named or not sources.is_whole]
    return [*left, *newer]


def _leftovers(
    values: Mapping[str, str], given: Sequence[Given], sources: Sources
) -> Iterator[Leftover]:
    """Yield the settings that a standby must not have.

    Those that point it at its primary count only on the command line, which overrides our files.
    """
    where = {one.name: one.source for one in given}
    for name in (*LEADING, *LEFT_OVER, TRIGGER_FILE):
        value = values.get(name, "")
        is_given, is_set = name in where, name in values and not is_default(name, value)
        if is_given if name in LEADING else is_set:
            source = where.get(name) or str(sources.settings.get(name, "a configuration file"))
            yield Leftover(name, told_value(name, value), source, is_on_command_line=is_given)


def _trigger_file(values: Mapping[str, str], data_directory: Path) -> str | None:
    """Return the trigger file that would promote the server, if it exists."""
    name = values.get(TRIGGER_FILE)
    return str(data_directory / name) if name and (data_directory / name).exists() else None


def without_secrets(conninfo: Mapping[str, str]) -> dict[str, str]:
    """Return only those words of the node's own connection string that the runner may know."""
    where = {word: conninfo[word] for word in WHERE if word in conninfo}
    return {**where, **inherited(conninfo)}


def is_trusted(directory: Path) -> bool:
    """Return whether only this user and root can have written into a data directory.

    The caller who requests a recovery names the directory. Files that another user may have written
    there prove nothing about the node: which primary it followed, with which key and which
    password. The directories above it were checked before (host/way.py).
    """
    try:
        status = directory.stat()
    except FileNotFoundError:
        return False
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & WRITABLE_BY_OTHERS


def _open_to_others(own: Path) -> Refused:
    return Refused(
        "other users can write to the data directory",
        detail=f"The files in {own} are not read, because only its owner may write there.",
        hint=f"Check what is there, then run chmod go-w {shlex.quote(str(own))}.",
    )


def _effective_values(
    file: Path,
    own: Path,
    bin_directory: Path,
    stop: Stop,
    given: Sequence[Given],
    sources: Sources,
    major: int | None,
) -> dict[str, str]:
    """Query the server's own program. It requires a data directory, but an empty one will do."""
    is_there = own.is_dir()  # Then no directory is made: the disk may be full.
    with nullcontext(str(own)) if is_there else tempfile.TemporaryDirectory() as data:
        argv = [str(bin_directory / "postgres"), "-D", data]
        argv += ["-c", f"data_directory={data}", "-c", f"config_file={file}"]
        names = [*STANDBY_PARAMETERS, *OTHER_PARAMETERS, *_further(sources, given, major)]
        for one in given:
            argv += ["-c", f"{one.name}={one.value}"] if one.name in names else []
        standing = names if not sources.is_whole else {*sources.settings, *(g.name for g in given)}
        known = defaults(names, standing, major)
        return known | effective_values(argv, [n for n in names if n not in known], stop)


def write_standby_settings(data_directory: Path, settings: Mapping[str, str]) -> None:
    """Write settings to the end of postgresql.auto.conf, where they override every other file.

    Removes earlier values of the same settings. All other lines stay unchanged, and so does a line
    that is only overridden by an empty value, because a user may want it back.
    """
    file = data_directory / AUTO_CONFIGURATION
    replace_auto(file, with_settings(read_configuration_file(file) or "", settings))


def replace_auto(file: Path, text: str) -> None:
    """Replace postgresql.auto.conf atomically: a server may read it at any moment.

    The old file may be a link, or shared with the old copy. The new one is written under the name
    of ALTER SYSTEM's temporary file, which a base backup leaves out: what a crash leaves behind may
    contain a password.
    """
    write_file(file, text, mode=kept_mode(file), growing=f"{file.name}.tmp")


def read_configuration_file(file: Path) -> str | None:
    """Return the text of a configuration file in any encoding; None if it does not exist."""
    try:
        return read_text(file)
    except FileNotFoundError:
        return None


def with_settings(text: str, settings: Mapping[str, str]) -> str:
    """Return the text of a configuration file with settings appended and earlier values removed.

    >>> with_settings("port = 1\\nwork_mem = 1MB\\n", {"port": "2"})
    "work_mem = 1MB\\nport = '2'\\n"
    """
    lines = [f"{name} = '{quote(value)}'" for name, value in settings.items()]
    return "".join(f"{line}\n" for line in [*without_replaced(text, settings), *lines])


def without_replaced(text: str, settings: Mapping[str, str]) -> list[str]:
    """Return the lines of a configuration file without those that these settings replace.

    A line that is only overridden by an empty value is kept.
    """
    kept = without_settings(text, [name for name, value in settings.items() if value])
    emptied = [f"{name} = ''" for name, value in settings.items() if not value]
    return [line for line in kept if line not in emptied]


def without_settings(text: str, names: Iterable[str]) -> list[str]:
    """Return the lines of a configuration file that set none of these settings.

    >>> without_settings("a = 1\\nPort=5432\\nreport = 2\\n", ["port"])
    ['a = 1', 'report = 2']
    >>> without_settings("  indented = 1\\n", [])
    ['  indented = 1']
    """
    named = set(names)
    lines = ((line, LINE.match(line)) for line in lines_of(text))
    return [line for line, match in lines if match is None or match[1].lower() not in named]


def quote(text: str) -> str:
    """Escape a text for single quotes in a configuration file (guc-file.l: \\ and ' escape)."""
    return text.replace("\\", "\\\\").replace("'", "''")
