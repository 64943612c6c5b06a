"""Convert messages to lines of JSON and back.

Both ends accept only messages with exactly the fields that they know, of exactly the declared
types, and refuse any other. A field that was ignored could be the one that makes a step safe. So
neither of two different builds guesses what the other means: each reports that the other speaks
another protocol. Only the greeting may have additional fields, so that the version can be reported.

How a type is written and read is derived from the annotations of its fields when its first value
comes: of about a hundred classes in the protocol, a conversation needs a third.
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from pgpool_recovery.domain.error import RecoveryError, Refused, error_of_record
from pgpool_recovery.domain.event import Event
from pgpool_recovery.domain.record import is_record, names_of
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.talk.protocol import Answer, Failure, Greeting, Message, Request
from pgpool_recovery.talk.request.asks import Asks

T = TypeVar("T")
Turn = Callable[[Any], Any]
"""Converts one of our values to JSON types, or back."""
TAG = "is"
UNIONS = (TargetStep, Event, Request, Message)
"""A value declared as one of these is written with the name of its class."""
SAME_VERSION = "Install the same version of pgpool-recovery on all hosts."
KEPT_CHARACTERS = 200
"""The limit for what is reported of an unreadable message, since it is another host's text."""
MAX_DIGITS = 20
"""The limit for a number in the key of an object, which has 64 bits; int() takes quadratic time."""


class UnreadableError(Exception):
    """A line that is not a message of this protocol."""


def encode_request(request: Request | Asks[Any]) -> bytes:
    """Return a request as a line."""
    return _line(_writer(Request)(request))


def decode_request(line: bytes) -> Request:
    """Return the request of a line; raise UnreadableError when it is not a known one."""
    request: Request = _decode(_parse(line), Request)
    return request


def encode_message(message: Message) -> bytes:
    """Return a greeting, an event or an answer as a line."""
    return _line(_writer(Message)(message))


def decode_message(line: bytes) -> Message | None:
    """Return the message of a line; None for other output, such as that of a login shell.

    Raises UnreadableError when it is a message, but not one that this build knows.
    """
    try:
        value = _parse(line)
    except UnreadableError:
        if line.lstrip().startswith(b'{"' + TAG.encode() + b'"'):
            raise
        return None
    if not isinstance(value, dict) or TAG not in value:
        return None
    message: Message = _decode(value, Message)
    return message


def as_result(value: object) -> Any:
    """Return a value in JSON types, as the result of an answer."""
    if isinstance(value, tuple):
        return [as_result(each) for each in value]
    return _written(value)


def result_as(result: Any, kind: type[T]) -> T:
    """Return the result of an answer as a value of this type; raise UnreadableError."""
    found: T = _decode(result, kind)
    return found


def answered_with(request: Asks[T]) -> type[T]:
    """Return the type of a request's answer, which its class declares (`Asks`)."""
    (asks,) = type(request).__orig_bases__  # type: ignore[attr-defined]
    (kind,) = get_args(asks)
    answer: type[T] = kind
    return answer


def failure_of(answer: Answer) -> RecoveryError | None:
    """Return the failure that an answer reports, if any; raise UnreadableError."""
    if answer.failure is None:
        return None
    _decode(answer.failure, Failure)
    return error_of_record(answer.failure)


def another_protocol(whose: str, why: str, older: str | None = None) -> Refused:
    """Return the refusal of an end that speaks another protocol; `older` names the older build."""
    hint = SAME_VERSION if older is None else f"{SAME_VERSION} The older one is {older}."
    return Refused(f"{whose} speaks another protocol", detail=why, hint=hint)


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"it is not JSON: {error}") from error


def _decode(value: Any, kind: Any) -> Any:
    """Return a value of JSON types as one of ours.

    Raises UnreadableError with a text that is short and printable.
    """
    try:
        return _reader(kind)(value)
    except UnreadableError as error:
        raise UnreadableError(ascii(str(error)[:KEPT_CHARACTERS])[1:-1]) from error


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


@cache
def _writer(kind: Any) -> Turn:
    """Return the function that converts a value declared as this type to JSON types."""
    if kind in UNIONS:
        return _tagged
    if is_record(kind):
        hints = get_type_hints(kind)
        return partial(_fields, [(name, _writer(hints[name])) for name in names_of(kind)])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _value_of
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple:
        return partial(_each, _writer(parts[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return partial(_items, _writer(parts[0]), _writer(parts[1]))
    if origin in (Union, UnionType):
        return as_result
    return _as_it_is


def _tagged(value: object) -> dict[str, Any]:
    return {TAG: type(value).__name__, **_written(value)}


def _written(value: object) -> Any:
    kind: Any = type(value)
    return _writer(kind)(value)


def _fields(writers: list[tuple[str, Turn]], value: object) -> dict[str, Any]:
    return {name: write(getattr(value, name)) for name, write in writers}


def _value_of(value: Enum) -> Any:
    return value.value


def _each(turn: Turn, values: Any) -> list[Any]:
    return [turn(each) for each in values]


def _items(key: Turn, value: Turn, values: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key(each): value(values[each]) for each in values}


def _as_it_is(value: Any) -> Any:
    return value


@cache
def _reader(kind: Any) -> Turn:
    """Return the function that converts JSON types to a value of this type.

    The function raises UnreadableError.
    """
    if kind in UNIONS:
        return partial(_untagged, {member.__name__: member for member in get_args(kind)})
    if is_record(kind):
        hints = get_type_hints(kind)
        return partial(_record, kind, {name: _reader(hints[name]) for name in names_of(kind)})
    if isinstance(kind, NewType):
        return _reader(kind.__supertype__)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return partial(_member, kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple and parts[1:] == (...,):
        return partial(_list, _reader(parts[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return partial(_mapping, _reader(parts[0]), _reader(parts[1]))
    if origin in (Union, UnionType):
        others = [part for part in parts if part is not NoneType]
        read = _reader(others[0]) if len(others) == 1 else partial(_one_of, _by_fields(others))
        return partial(_if_any, read) if NoneType in parts else read
    return PLAIN[kind]


def _untagged(members: dict[str, Any], value: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get(TAG), str):
        raise UnreadableError("it is not a message")
    name = value[TAG]
    if name not in members:
        raise UnreadableError(f"unknown type {name}")
    return _reader(members[name])({key: member for key, member in value.items() if key != TAG})


def _record(kind: type[Any], readers: dict[str, Turn], value: Any) -> Any:
    if not isinstance(value, dict):
        raise UnreadableError(f"{kind.__name__} is not an object")
    missing, more = readers.keys() - value.keys(), value.keys() - readers.keys()
    if missing or (more and kind is not Greeting):
        which = ", ".join(sorted(missing or more))
        raise UnreadableError(f"{kind.__name__} {'lacks' if missing else 'also has'} {which}")
    return kind(**{name: read(value[name]) for name, read in readers.items()})


def _if_any(read: Turn, value: Any) -> Any:
    return None if value is None else read(value)


def _one_of(readers: dict[frozenset[str], Turn], value: Any) -> Any:
    """Return a record of one of several classes, which differ in the names of their fields."""
    names = frozenset(value) if isinstance(value, dict) else frozenset[str]()
    if names not in readers:
        raise UnreadableError(f"no known result has the fields {', '.join(sorted(names))}")
    return readers[names](value)


def _by_fields(kinds: list[Any]) -> dict[frozenset[str], Turn]:
    readers = {frozenset(names_of(kind)): _reader(kind) for kind in kinds}
    if len(readers) < len(kinds):
        raise TypeError(f"two of {kinds} have the same fields")
    return readers


def _list(read: Turn, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise UnreadableError("a value is not a list")
    return tuple([read(each) for each in value])


def _mapping(key: Turn, read: Turn, value: Any) -> Any:
    if not isinstance(value, dict):
        raise UnreadableError("a value is not an object")
    return {key(name): read(each) for name, each in value.items()}


def _member(kind: type[Enum], value: Any) -> Enum:
    try:
        return kind(_text(value))
    except ValueError as error:
        raise UnreadableError(f"{kind.__name__} has no {value}") from error


def _nothing(value: object) -> None:
    if value is not None:
        raise UnreadableError("a value is not null")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnreadableError("a value is not a string")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UnreadableError("a value is neither true nor false")
    return value


def _whole(value: object) -> int:
    """Return a whole number; as the key of an object it is a string."""
    if isinstance(value, str) and len(value) <= MAX_DIGITS and value.isdecimal():
        number = int(value)
        if str(number) == value:
            return number
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableError("a value is not an integer")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError("a value is not a number")
    try:
        return float(value)
    except OverflowError as error:
        raise UnreadableError("a number is too large") from error


PLAIN: dict[Any, Turn] = {
    str: _text,
    bool: _flag,
    int: _whole,
    float: _number,
    NoneType: _nothing,
    Any: _as_it_is,
}

__all__ = [
    "Answer",
    "Greeting",
    "UnreadableError",
    "another_protocol",
    "answered_with",
    "as_result",
    "decode_message",
    "decode_request",
    "encode_message",
    "encode_request",
    "failure_of",
    "result_as",
]
