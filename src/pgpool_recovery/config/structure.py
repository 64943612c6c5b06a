"""What parsed TOML says, as settings: each value is checked by the type of its field."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from pgpool_recovery.config.settings import AbsolutePath, Host, Port, Settings
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId, parse_host, parse_node_id, parse_port
from pgpool_recovery.domain.record import is_record
from pgpool_recovery.facts.policy import Method, Rate, kilobytes

MIN_RATE_KB, MAX_RATE_KB = 32, 1048576  # src/include/backup/basebackup.h
MAX_SHOWN = 100
UNKNOWN = "unknown setting"
BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A name that stands in TOML without quotes."""


def structured(values: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Return the settings and every complaint; a table with one has its defaults."""
    complaints: list[str] = []
    sound: dict[str, Any] = {}
    kinds = get_type_hints(Settings)
    _refuse_unknown(values, kinds, "", complaints)
    for name in filter(values.__contains__, kinds):
        before = len(complaints)
        value = _value(values[name], kinds[name], name, complaints)
        if len(complaints) == before:
            sound[name] = value
    return Settings(**sound), complaints


def _value(value: object, kind: Any, place: str, complaints: list[str]) -> Any:
    """Return a value as a type has it; a complaint has its place, and its value is of no use."""
    kind = _without_none(kind)
    if is_record(kind):
        return _table(value, kind, place, complaints)
    if get_origin(kind) is dict:
        return _mapping(value, kind, place, complaints)
    try:
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return _choice(value, kind)
        return CHECKS[kind](value)
    except ValueError as error:
        complaints.append(f"invalid value {_shown(value)} ({error}) in {place}")
    except RecoveryError as error:  # It has the value in it.
        complaints.append(f"invalid value ({error}) in {place}")
    return None


def _without_none(kind: Any) -> Any:
    """Return the type of what is there: TOML has no null."""
    kinds = get_args(kind)
    return next(one for one in kinds if one is not NoneType) if NoneType in kinds else kind


def _table(value: object, kind: Any, place: str, complaints: list[str]) -> Any:
    if not isinstance(value, Mapping):
        complaints.append(f"invalid value {_shown(value)} (it is a table) in {place}")
        return None
    before = len(complaints)
    kinds = get_type_hints(kind)
    _refuse_unknown(value, kinds, place, complaints)
    found = {
        name: _value(value[name], one, f"{place}.{name}", complaints)
        for name, one in kinds.items()
        if name in value
    }
    return kind(**found) if len(complaints) == before else None


def _mapping(value: object, kind: Any, place: str, complaints: list[str]) -> Any:
    """Return a table whose names are the user's."""
    if not isinstance(value, Mapping):
        complaints.append(f"invalid value {_shown(value)} (it is a table) in {place}")
        return None
    of_name, of_value = get_args(kind)
    found = {}
    for name, one in value.items():
        where = f"{place}.{name if BARE.fullmatch(name) else _shown(name)}"
        key = _value(name, of_name, where, complaints)
        found[key] = _value(one, of_value, where, complaints)
    return found


def _refuse_unknown(
    values: Mapping[str, Any], known: Mapping[str, Any], place: str, complaints: list[str]
) -> None:
    names = sorted(values.keys() - known.keys())
    if names:
        complaints.append(f"{UNKNOWN} {', '.join(names)}{f' in {place}' if place else ''}")


def _shown(value: object) -> str:
    """Return a value as TOML has it, nearly.

    >>> _shown("no"), _shown([True, 1])
    ('"no"', '[true, 1]')
    """
    import json  # Only a complaint needs it.

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it is a text in quotes")  # noqa: TRY004 - a complaint
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("it is a number greater than 0")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError("it is a whole number greater than 0")
    return value


def _choice(value: object, kind: type[StrEnum]) -> StrEnum:
    if value not in tuple(kind):
        raise ValueError(f"it is one of {', '.join(kind)}")
    return kind(str(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is true or false")  # noqa: TRY004 - a complaint
    return value


def _methods(value: object) -> tuple[Method, ...]:
    words = _words(value)
    if not words or len(set(words)) < len(words):
        raise ValueError("it is a list of methods, each at most once")
    return tuple(Method(_choice(word, Method)) for word in words)


def _node_id(value: object) -> NodeId:
    return parse_node_id(str(value))


def _port(value: object) -> Port:
    return Port(parse_port(str(_count(value))))


def _host(value: object) -> Host:
    return Host(parse_host(_text(value)))


def _path(value: object) -> AbsolutePath:
    text = _text(value)
    if not text.startswith("/") or ".." in text.split("/"):
        raise ValueError("it is an absolute path")
    return AbsolutePath(text)


def _rate(value: object) -> Rate:
    """Check the rate as pg_basebackup does, which would find it wrong after the old data went."""
    text = _text(value)
    is_rate = re.fullmatch(r"\d+[kM]?", text) is not None
    if not is_rate or not MIN_RATE_KB <= kilobytes(Rate(text)) <= MAX_RATE_KB:
        raise ValueError('it is "32k" to "1024M" a second')
    return Rate(text)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("it is a list of texts")
    return tuple(value)


CHECKS: dict[Any, Callable[[object], Any]] = {
    str: _text,
    float: _number,
    int: _count,
    bool: _flag,
    tuple[str, ...]: _words,
    tuple[Method, ...]: _methods,
    NodeId: _node_id,
    AbsolutePath: _path,
    Host: _host,
    Port: _port,
    Rate: _rate,
}
"""What makes a setting of a value, by the type of its field; it raises ValueError."""
