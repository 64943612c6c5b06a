"""Turn parsed TOML into settings, checking each value by the type of its field."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from pgpool_recovery.config.settings import (
    PLACEHOLDERS,
    AbsolutePath,
    CommandWords,
    Host,
    MethodName,
    Port,
    Settings,
)
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.node import NodeId, parse_host, parse_node_id, parse_port
from pgpool_recovery.domain.placeholder import placeholders_of
from pgpool_recovery.domain.record import is_record
from pgpool_recovery.facts.policy import (
    FROM_ANY,
    FROM_PRIMARY,
    CopySource,
    Method,
    Rate,
    kilobytes,
)

MIN_RATE_KB, MAX_RATE_KB = 32, 1048576  # src/include/backup/basebackup.h
MAX_SHOWN = 100
UNKNOWN = "unknown setting"
METHOD_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A name that needs no quotes in TOML."""


def structured(values: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Return the settings and all complaints; a table with a complaint has its defaults."""
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
    """Return a value converted to a type; add a complaint and return None if it is invalid."""
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
    except RecoveryError as error:  # Its message contains the value.
        complaints.append(f"invalid value ({error}) in {place}")
    return None


def _without_none(kind: Any) -> Any:
    """Return the type of a value that is present, since TOML has no null."""
    kinds = get_args(kind)
    return next(one for one in kinds if one is not NoneType) if NoneType in kinds else kind


def _table(value: object, kind: Any, place: str, complaints: list[str]) -> Any:
    if not isinstance(value, Mapping):
        complaints.append(f"invalid value {_shown(value)} (must be a table) in {place}")
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
    """Return a table whose names the user chooses."""
    if not isinstance(value, Mapping):
        complaints.append(f"invalid value {_shown(value)} (must be a table) in {place}")
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
    """Return a value approximately as written in TOML.

    >>> _shown("no"), _shown([True, 1])
    ('"no"', '[true, 1]')
    """
    import json  # It is needed only for a complaint.

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a quoted string")  # noqa: TRY004 - a complaint
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("must be a number greater than 0")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError("must be an integer greater than 0")
    return value


def _choice(value: object, kind: type[StrEnum]) -> StrEnum:
    if value not in tuple(kind):
        raise ValueError(f"must be one of {', '.join(kind)}")
    return kind(str(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - a complaint
    return value


def _methods(value: object) -> tuple[Method, ...]:
    words = _words(value)
    if not words or len(set(words)) < len(words):
        raise ValueError("must be a non-empty list of methods, each at most once")
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
        raise ValueError("must be an absolute path")
    return AbsolutePath(text)


def _rate(value: object) -> Rate:
    """Check a rate as the server does (MAX_RATE), but before a recovery begins."""
    text = _text(value)
    is_rate = re.fullmatch(r"\d+[kM]?", text) is not None
    if not is_rate or not MIN_RATE_KB <= kilobytes(Rate(text)) <= MAX_RATE_KB:
        raise ValueError('must be between "32k" and "1024M" per second')
    return Rate(text)


def _command(value: object) -> CommandWords:
    words = _words(value)
    if not words or not words[0].startswith("/"):
        raise ValueError("must be a list of a program, by its absolute path, and its arguments")
    for name in placeholders_of(words[1:]):
        if name not in PLACEHOLDERS:
            raise ValueError(f"has {{{name}}}; the placeholders are {', '.join(PLACEHOLDERS)}")
    return CommandWords(words)


def _method_name(value: object) -> MethodName:
    text = _text(value)
    if not METHOD_NAME.fullmatch(text) or text in set(Method):
        raise ValueError("must have up to 40 letters, digits, - and _, and be no method of ours")
    return MethodName(text)


def _node_ids(value: object) -> tuple[NodeId, ...]:
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        raise ValueError("must be a list of node ids")
    return tuple(map(_node_id, value))


def _source(value: object) -> CopySource:
    if isinstance(value, int) and not isinstance(value, bool):
        return CopySource(str(parse_node_id(str(value))))
    if value not in (FROM_PRIMARY, FROM_ANY):
        raise ValueError(f"must be {FROM_PRIMARY}, {FROM_ANY} or a node id")
    return CopySource(str(value))


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("must be a list of strings")
    return tuple(value)


CHECKS: dict[Any, Callable[[object], Any]] = {
    str: _text,
    float: _number,
    int: _count,
    bool: _flag,
    tuple[str, ...]: _words,
    tuple[Method, ...]: _methods,
    NodeId: _node_id,
    tuple[NodeId, ...]: _node_ids,
    CommandWords: _command,
    MethodName: _method_name,
    AbsolutePath: _path,
    Host: _host,
    Port: _port,
    Rate: _rate,
    CopySource: _source,
}
"""The functions that convert a value, by the type of the field; they raise ValueError."""
