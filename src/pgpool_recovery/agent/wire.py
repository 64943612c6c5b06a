"""Messages as JSON lines and back."""

import json
from functools import cache
from typing import Any, TypeVar

from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from pgpool_recovery.agent.protocol import Answer, Greeting, Message, Request
from pgpool_recovery.domain.event import Event
from pgpool_recovery.plan.step import TargetStep

T = TypeVar("T")
TAG = "is"


@cache
def converter() -> Converter:
    """Return the converter that tags each member of a union with its class."""
    made = Converter(forbid_extra_keys=True)
    made.register_structure_hook(type(None), lambda value, _kind: value)
    for union in (TargetStep, Event):
        configure_tagged_union(union, made, tag_name=TAG)
    configure_tagged_union(Request, made, tag_name=TAG)
    configure_tagged_union(Message, made, tag_name=TAG)
    return made


def encode_request(request: Request) -> bytes:
    """Return a request as a line."""
    return _line(converter().unstructure(request, unstructure_as=Request))


def decode_request(line: bytes) -> Request:
    """Return the request of a line."""
    request: Request = converter().structure(json.loads(line), Request)  # type: ignore[arg-type]
    return request


def encode_message(message: Message) -> bytes:
    """Return a greeting, an event or an answer as a line."""
    return _line(converter().unstructure(message, unstructure_as=Message))


def decode_message(line: bytes) -> Message | None:
    """Return the message of a line, or None when it is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or TAG not in value:
        return None
    message: Message = converter().structure(value, Message)  # type: ignore[arg-type]
    return message


def as_result(value: object) -> Any:
    """Return a value in JSON types, as the result of an answer."""
    return converter().unstructure(value)


def result_as(result: Any, kind: type[T]) -> T:
    """Return the result of an answer as a value of this type."""
    return converter().structure(result, kind)


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


__all__ = [
    "Answer",
    "Greeting",
    "as_result",
    "decode_message",
    "decode_request",
    "encode_message",
    "encode_request",
    "result_as",
]
