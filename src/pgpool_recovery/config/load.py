"""Read the settings file; all complaints at once."""

import json
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

from cattrs import Converter, transform_error
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError

from pgpool_recovery.config.complaint import with_lines
from pgpool_recovery.config.settings import (
    AbsolutePath,
    ChannelBinding,
    ClusteringMode,
    Host,
    Incomplete,
    Port,
    Promote,
    RunningPrimary,
    Settings,
    SslMode,
)
from pgpool_recovery.domain.error import SettingsError, reason_of
from pgpool_recovery.domain.node import NodeId, parse_host, parse_node_id, parse_port
from pgpool_recovery.facts.policy import (
    Compress,
    KeepOld,
    Method,
    Rate,
    StopRunning,
    Unattended,
    Verify,
    kilobytes,
)
from pgpool_recovery.files.trust import (
    Fault,
    Untrusted,
    group_name,
    mine_and_roots,
    read_trusted,
    user_name,
)

DEFAULT_FILE = Path("/etc/pgpool-recovery.toml")
MIN_RATE_KB, MAX_RATE_KB = 32, 1048576  # src/include/backup/basebackup.h
VARIABLE = "PGPOOL_RECOVERY_CONFIG"
MAX_SHOWN = 100
UNKNOWN = "unknown setting"
DESCRIBED = "The settings are described in docs/reference/settings.md."
LATER = " One that is unknown may be a later version's: the same version belongs on all hosts."
NO_TABLE = "invalid value (it is a table)"


def settings_file(named: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file to read: named on the command line, by the variable, or the default."""
    return Path(named or environment.get(VARIABLE) or DEFAULT_FILE)


def load_settings(file: Path) -> Settings:
    """Return the settings of a file; the default file may be missing.

    They name programs that run and where passwords go, so the file has to be root's, or that of
    the user who runs this, all the way down. Every host has such a file, so each complaint names
    its host.
    """
    try:
        return _load(file)
    except SettingsError as error:
        message = f"{os.uname().nodename}: {error.message}"
        raise SettingsError(message, detail=error.detail, hint=error.hint) from error


def _load(file: Path) -> Settings:
    try:
        text = _text_of(file)
        values = tomllib.loads(text)
    except FileNotFoundError:
        if file == DEFAULT_FILE:
            return Settings()
        raise SettingsError(f"settings file {file} does not exist") from None
    except Untrusted as untrusted:
        raise SettingsError(
            f"settings file {file} can be changed by others",
            detail=f"{untrusted.why}. The settings name programs that run, and where passwords go.",
            hint=_mend(untrusted),
        ) from untrusted
    except PermissionError as error:
        raise _may_not_read(file, error) from error
    except OSError as error:
        raise SettingsError(f"could not read settings file {file}: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"could not read settings file {file}",
            detail=f"It is not UTF-8: there is a byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start}.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"settings file {file} is not TOML", detail=f"{error}.", hint="See toml.io."
        ) from error
    return read_settings(values, str(file), text)


def _mend(untrusted: Untrusted) -> str | None:
    """Return how to mend what is wrong, and that alone; None where no command does."""
    path = shlex.quote(str(untrusted.path))
    return {Fault.OWNER: f"chown root {path}", Fault.MODE: f"chmod go-w {path}"}.get(
        untrusted.fault
    )


def _may_not_read(file: Path, error: PermissionError) -> SettingsError:
    """Return the failure of a user who may not read the file, which has something to hide."""
    try:
        status = file.stat()
    except OSError:
        detail = "A directory on the way to it may not be entered."
    else:
        detail = (
            f"It belongs to {user_name(status.st_uid)}, group {group_name(status.st_gid)}, and has "
            f"mode {stat.S_IMODE(status.st_mode):04o}."
        )
    name = shlex.quote(str(file))
    return SettingsError(
        f"could not read settings file {file}: {reason_of(error)}",
        detail=f'{detail} This runs as "{user_name(os.geteuid())}".',
        hint=f"Let the user that runs PostgreSQL read it: chown root:postgres {name}; "
        f"chmod 0640 {name}.",
    )


def sound_part(file: Path) -> Settings:
    """Return what a file with errors says in the tables that have none; for the rest the defaults.

    To tell of the errors where the file says, and for nothing else.
    """
    try:
        values = tomllib.loads(_text_of(file))
    except (OSError, Untrusted, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return Settings()
    return read_settings({k: v for k, v in values.items() if _is_sound(k, v)}, str(file))


def _text_of(file: Path) -> str:
    return read_trusted(file, mine_and_roots()).decode()


def _is_sound(name: str, table: object) -> bool:
    try:
        read_settings({name: table}, name)
    except SettingsError:
        return False
    return True


def read_settings(values: Mapping[str, Any], origin: str, text: str = "") -> Settings:
    """Return settings of parsed TOML; `origin` names it in the complaint, `text` has its lines."""
    converter = Converter(forbid_extra_keys=True)
    for number, check_number in ((float, _number), (int, _count), (bool, _flag)):
        converter.register_structure_hook(number, partial(_checked, check_number))
    choices = (ClusteringMode, Promote, RunningPrimary, Compress, KeepOld, StopRunning, Verify)
    for choice in (*choices, Incomplete, Method, Unattended):
        converter.register_structure_hook(choice, partial(_checked, _choice))
    # A hook for the class itself would take its subclasses and aliases as well.
    for kind, check in (
        (str, _text),
        (int | None, _count),
        (str | None, _text),  # TOML has no null: what is not there is not structured.
        (tuple[str, ...], _words),
        (NodeId, _node_id),
        (tuple[Method, ...], _methods),
        (AbsolutePath, _path),
        (AbsolutePath | None, _path),
        (Host | None, _host),
        (SslMode | None, partial(_choice_of, SslMode)),
        (ChannelBinding | None, partial(_choice_of, ChannelBinding)),
        (Port, _port),
        (Port | None, _port),
        (Rate | None, _rate),
    ):
        converter.register_structure_hook_func(partial(eq, kind), partial(_checked, check))
    try:
        settings = converter.structure(values, Settings)
        complaints = list(_contradictions(settings))
    except ClassValidationError as error:
        found = transform_error(error, path="", format_exception=_complaint)
        sound = {k: v for k, v in values.items() if _is_structured(converter, k, v)}
        complaints = [
            *(_with_place(line, values) for line in found),
            *_contradictions(converter.structure(sound, Settings)),
        ]
    if complaints:
        is_unknown = any(line.startswith(UNKNOWN) for line in complaints)
        raise SettingsError(
            f"settings file {origin} has {len(complaints)} error{'s' * (len(complaints) > 1)}",
            detail="\n".join(with_lines(complaints, text, Settings)),
            hint=DESCRIBED + (LATER if is_unknown else ""),
        )
    return settings


def _is_structured(converter: Converter, name: str, table: object) -> bool:
    try:
        converter.structure({name: table}, Settings)
    except ClassValidationError:
        return False
    return True


def _contradictions(settings: Settings) -> Iterator[str]:
    """Say which settings are right by themselves and make no sense together."""
    for node_id, node in settings.node.items():
        if node.start_command and node.host is None:
            yield (
                f"start_command without host in node.{node_id} (pgpool_remote_start is not told "
                "the node id and finds a node by its host)"
            )
    for name, table in (("replication", settings.replication), ("pgpool", settings.pgpool)):
        if (table.sslcert is None) != (table.sslkey is None):
            yield f"sslcert and sslkey go together in {name} (a certificate and its key)"


class _InvalidError(ValueError):
    """A value that is not what the setting takes."""

    def __init__(self, value: object, error: Exception) -> None:
        super().__init__(f"invalid value {_shown(value)} ({error})")


def _checked(check: Callable[[Any, Any], object], value: object, kind: object) -> object:
    """Return what a check makes of a value; what it complains of, then has the value."""
    try:
        return check(value, kind)
    except ValueError as error:
        raise _InvalidError(value, error) from error


def _shown(value: object) -> str:
    """Return a value as TOML has it, nearly.

    >>> _shown("no"), _shown([True, 1])
    ('"no"', '[true, 1]')
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _text(value: object, _kind: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it is a text in quotes")  # noqa: TRY004 - so cattrs collects it
    return value


def _number(value: object, _kind: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("it is a number greater than 0")
    return float(value)


def _count(value: object, _kind: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError("it is a whole number greater than 0")
    return value


def _choice(value: object, kind: type[StrEnum]) -> StrEnum:
    if value not in tuple(kind):
        raise ValueError(f"it is one of {', '.join(kind)}")
    return kind(str(value))


def _choice_of(kind: type[StrEnum], value: object, _kind: object) -> StrEnum:
    return _choice(value, kind)


def _flag(value: object, _kind: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is true or false")  # noqa: TRY004 - so cattrs collects it
    return value


def _methods(value: object, _kind: object) -> tuple[Method, ...]:
    words = _words(value, tuple)
    if not words or len(set(words)) < len(words):
        raise ValueError("it is a list of methods, each at most once")
    return tuple(Method(_choice(word, Method)) for word in words)


def _node_id(value: object, _kind: object) -> NodeId:
    return parse_node_id(str(value))


def _port(value: object, _kind: object) -> Port:
    return Port(parse_port(str(_count(value, int))))


def _host(value: object, _kind: object) -> Host:
    return Host(parse_host(_text(value, str)))


def _path(value: object, _kind: object) -> AbsolutePath:
    text = _text(value, str)
    if not text.startswith("/") or ".." in text.split("/"):
        raise ValueError("it is an absolute path")
    return AbsolutePath(text)


def _rate(value: object, _kind: object) -> Rate:
    """Check the rate as pg_basebackup does, which would find it wrong after the old data went."""
    text = _text(value, str)
    is_rate = re.fullmatch(r"\d+[kM]?", text) is not None
    if not is_rate or not MIN_RATE_KB <= kilobytes(Rate(text)) <= MAX_RATE_KB:
        raise ValueError('it is "32k" to "1024M" a second')
    return Rate(text)


def _words(value: object, _kind: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("it is a list of texts")
    return tuple(value)


def _complaint(error: BaseException, _kind: object) -> str:
    match error:
        case ForbiddenExtraKeysError(extra_fields=names):
            return f"{UNKNOWN} {', '.join(sorted(names))}"
        case TypeError():
            return NO_TABLE
        case _InvalidError():
            return str(error)
        case _:
            return f"invalid value ({error})"


def _with_place(line: str, values: Mapping[str, Any]) -> str:
    """Return a complaint with its place as TOML spells it.

    >>> _with_place("no @ .node['1'].host", {})
    'no in node.1.host'
    """
    what, _, place = line.rpartition(" @ ")
    where = re.sub(r"\['([\w-]+)'\]", r".\1", place).removeprefix(".")
    if what == NO_TABLE:
        value: Any = values
        for name in where.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        what = f"invalid value {_shown(value)} (it is a table)"
    return f"{what} in {where}" if where else what
