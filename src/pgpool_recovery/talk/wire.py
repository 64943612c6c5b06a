"""Messages as JSON lines and back.

Both ends take a message with exactly the fields that they know, of exactly the types, and refuse
any other. A field that was passed over could be the one that makes a step safe, so of two builds
that differ none guesses what the other means: each says that the other speaks another protocol.
Only the greeting may have more, so that the version behind it can be named.
"""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache, partial
from operator import eq
from typing import Any, TypeVar, get_args, get_origin

from cattrs import BaseValidationError, Converter
from cattrs.gen import make_dict_structure_fn

from pgpool_recovery.domain.error import RecoveryError, Refused, error_of_record
from pgpool_recovery.domain.event import Event
from pgpool_recovery.facts.step import TargetStep
from pgpool_recovery.talk.protocol import Answer, Failure, Greeting, Message, Request

T = TypeVar("T")
TAG = "is"
UNIONS = (TargetStep, Event, Request, Message)
SAME_VERSION = "Install the same version of pgpool-recovery on all hosts."
KEPT_CHARACTERS = 200
"""Of what cannot be read; it is another host's text."""


class UnreadableError(Exception):
    """A line that is no message of this protocol."""


@cache
def converter() -> Converter:
    """Return the converter that tags each member of a union with its class."""
    made = Converter(forbid_extra_keys=True, detailed_validation=False)
    made.register_structure_hook_factory(is_dataclass, partial(_structure_record, made))
    made.register_structure_hook(type(None), _nothing)
    made.register_structure_hook_factory(_is_list, partial(_list, made))
    for kind, check in ((str, _text), (bool, _flag), (int, _whole), (float, _number)):
        made.register_structure_hook(kind, check)
    for union in UNIONS:
        members = {member.__name__: member for member in get_args(union)}
        made.register_structure_hook_func(partial(eq, union), partial(_structure, made, members))
        made.register_unstructure_hook_func(partial(eq, union), partial(_unstructure, made))
    return made


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _structure(made: Converter, members: dict[str, type[Any]], value: Any, _union: object) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get(TAG), str):
        raise UnreadableError("no message")
    name = value[TAG]
    if name not in members:
        raise UnreadableError(f"it does not know {name}")
    rest = {key: member for key, member in value.items() if key != TAG}
    return made.structure(rest, members[name])


def _unstructure(made: Converter, value: object) -> dict[str, Any]:
    return {TAG: type(value).__name__, **made.unstructure(value, type(value))}


def _structure_record(made: Converter, kind: type[Any]) -> Callable[[Any, Any], Any]:
    structure = make_dict_structure_fn(kind, made, _cattrs_forbid_extra_keys=False)
    names = {field.name for field in fields(kind) if field.init}

    def exactly(value: Any, expected: Any) -> Any:
        if not isinstance(value, dict):
            raise UnreadableError(f"{kind.__name__} is no object")
        missing, more = names - value.keys(), value.keys() - names
        if more and kind is Greeting:
            value = {name: value[name] for name in names & value.keys()}
        elif missing or more:
            which = ", ".join(sorted(missing or more))
            raise UnreadableError(f"{kind.__name__} {'lacks' if missing else 'has also'} {which}")
        return structure(value, expected)

    return exactly


def _nothing(value: object, _kind: object) -> None:
    if value is not None:
        raise UnreadableError("a value is there where none belongs")


def _text(value: object, kind: type[str]) -> str:
    """Return a text, or the member of an enumeration of texts."""
    if not isinstance(value, str):
        raise UnreadableError("a value is no text")
    return kind(value)


def _flag(value: object, _kind: object) -> bool:
    if not isinstance(value, bool):
        raise UnreadableError("a value is neither true nor false")
    return value


def _whole(value: object, kind: type[int]) -> int:
    """Return a whole number; as a key of an object it is a text."""
    if isinstance(value, str) and value.isdecimal():
        return kind(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableError("a value is no whole number")
    return kind(value)


def _number(value: object, _kind: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError("a value is no number")
    return float(value)


def _list(made: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    structure = made.get_structure_hook(list[get_args(kind)[0]])  # type: ignore[misc]

    def exactly(value: Any, _kind: object) -> Any:
        if not isinstance(value, list | tuple):
            raise UnreadableError("a value is no list")
        return tuple(structure(value, list))

    return exactly


def encode_request(request: Request) -> bytes:
    """Return a request as a line."""
    return _line(converter().unstructure(request, unstructure_as=Request))


def decode_request(line: bytes) -> Request:
    """Return the request of a line; raise UnreadableError when it is none that is known here."""
    request: Request = _decode(_parse(line), Request)
    return request


def encode_message(message: Message) -> bytes:
    """Return a greeting, an event or an answer as a line."""
    return _line(converter().unstructure(message, unstructure_as=Message))


def decode_message(line: bytes) -> Message | None:
    """Return the message of a line, or None when it is none, as what a login shell says.

    Raises UnreadableError when it is one, and not one that is known here.
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
    return converter().unstructure(value)


def result_as(result: Any, kind: type[T]) -> T:
    """Return the result of an answer as a value of this type; raise UnreadableError."""
    found: T = _decode(result, kind)
    return found


def failure_of(answer: Answer) -> RecoveryError | None:
    """Return the failure that an answer tells of, if any; raise UnreadableError."""
    if answer.failure is None:
        return None
    _decode(answer.failure, Failure)
    return error_of_record(answer.failure)


def another_protocol(whose: str, why: str, older: str | None = None) -> Refused:
    """Return the refusal of an end that speaks another protocol; `older`: which build is."""
    hint = SAME_VERSION if older is None else f"{SAME_VERSION} The older one is {older}."
    return Refused(f"{whose} speaks another protocol", detail=why, hint=hint)


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no JSON: {error}") from error


def _decode(value: Any, kind: Any) -> Any:
    """Return a value of JSON types as one of ours.

    cattrs and the classes raise what they like for what they do not expect; all of that means the
    same here. Nothing but the value decides what they raise.
    """
    try:
        return converter().structure(value, kind)
    except UnreadableError as error:
        raise UnreadableError(ascii(str(error)[:KEPT_CHARACTERS])[1:-1]) from error
    except (
        BaseValidationError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        text = f"{type(error).__name__}: {error}"
        raise UnreadableError(ascii(text[:KEPT_CHARACTERS])[1:-1]) from error


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


__all__ = [
    "Answer",
    "Greeting",
    "UnreadableError",
    "another_protocol",
    "as_result",
    "decode_message",
    "decode_request",
    "encode_message",
    "encode_request",
    "failure_of",
    "result_as",
]
