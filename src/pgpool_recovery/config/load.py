"""Read the settings file; all complaints at once."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

from cattrs import Converter, transform_error
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError

from pgpool_recovery.config.settings import (
    AbsolutePath,
    ChannelBinding,
    ClusteringMode,
    Host,
    Port,
    Promote,
    RunningPrimary,
    Settings,
    SslMode,
)
from pgpool_recovery.domain.error import SettingsError
from pgpool_recovery.domain.node import NodeId, parse_host, parse_node_id, parse_port
from pgpool_recovery.files.trust import Untrusted, mine_and_roots, read_trusted
from pgpool_recovery.plan.policy import (
    Compress,
    KeepOld,
    Method,
    Rate,
    StopRunning,
    Verify,
    kilobytes,
)

DEFAULT_FILE = Path("/etc/pgpool-recovery.toml")
MIN_RATE_KB, MAX_RATE_KB = 32, 1048576  # src/include/backup/basebackup.h
VARIABLE = "PGPOOL_RECOVERY_CONFIG"


def settings_file(named: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file to read: named on the command line, by the variable, or the default."""
    return Path(named or environment.get(VARIABLE) or DEFAULT_FILE)


def load_settings(file: Path) -> Settings:
    """Return the settings of a file; the default file may be missing.

    They name programs that run and where passwords go, so the file has to be root's, or that of
    the user who runs this, all the way down.
    """
    try:
        values = tomllib.loads(_text_of(file))
    except FileNotFoundError:
        if file == DEFAULT_FILE:
            return Settings()
        raise SettingsError(f"settings file {file} does not exist") from None
    except Untrusted as untrusted:
        raise SettingsError(
            f"settings file {file} can be changed by others",
            detail=f"{untrusted.why}. The settings name programs that run, and where passwords go.",
            hint="Give it to root or to the user who runs this, and take the right to write away "
            "from all others (chown root, chmod go-w).",
        ) from untrusted
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"could not read settings file {file}", detail=str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"settings file {file} is not TOML", detail=f"{error}.", hint="See toml.io."
        ) from error
    return read_settings(values, str(file))


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


def read_settings(values: Mapping[str, Any], origin: str) -> Settings:
    """Return settings of parsed TOML; `origin` names it in the complaint."""
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(int, _count)
    converter.register_structure_hook(bool, _flag)
    choices = (ClusteringMode, Promote, RunningPrimary, Compress, KeepOld, StopRunning, Verify)
    for choice in (*choices, Method):
        converter.register_structure_hook(choice, _choice)
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
        converter.register_structure_hook_func(partial(eq, kind), check)
    try:
        settings = converter.structure(values, Settings)
        complaints = list(_contradictions(settings))
    except ClassValidationError as error:
        found = transform_error(error, path="", format_exception=_complaint)
        complaints = [line.replace(" @ .", " in ").removesuffix(" @ ") for line in found]
    if complaints:
        raise SettingsError(
            f"settings file {origin} has {len(complaints)} error{'s' * (len(complaints) > 1)}",
            detail="\n".join(complaints),
            hint="The settings are described in docs/reference/settings.md.",
        )
    return settings


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
            return f"unknown setting {', '.join(sorted(names))}"
        case TypeError():
            return "invalid value (it is a table)"
        case _:
            return f"invalid value ({error})"
