"""Every message survives the wire; one that is slightly wrong is refused, and never half read."""

import copy
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgpool_recovery.domain.record import is_record, names_of
from pgpool_recovery.talk.protocol import Failure, Greeting, Message, Request
from pgpool_recovery.talk.request.asks import Asks
from pgpool_recovery.talk.wire import (
    UnreadableError,
    as_result,
    decode_message,
    decode_request,
    encode_message,
    encode_request,
    result_as,
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
WITHIN = settings(max_examples=10, deadline=None, suppress_health_check=SLOW)
REQUESTS = get_args(Request)
MESSAGES = get_args(Message)
ANSWERS = [get_args(kind.__orig_bases__[0])[0] for kind in REQUESTS if issubclass(kind, Asks)]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False),
    NoneType: st.none(),
    Any: json_values,
}


def values(kind: Any, *, is_key: bool = False) -> st.SearchStrategy[Any]:
    """Return a strategy for any value of this type."""
    if is_record(kind):
        hints = get_type_hints(kind)
        fields = st.fixed_dictionaries({name: values(hints[name]) for name in names_of(kind)})
        return fields.map(lambda given: kind(**given))
    if isinstance(kind, NewType):
        return values(kind.__supertype__, is_key=is_key)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of([values(part) for part in parts])
    if origin is tuple:
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(values(parts[0], is_key=True), values(parts[1]), max_size=2)
    return st.integers(0, 2**63) if is_key and kind is int else PLAIN[kind]


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
@WITHIN
@given(data=st.data())
def test_requests(kind: Any, data: st.DataObject) -> None:
    request = data.draw(values(kind))
    line = encode_request(request)
    assert decode_request(line) == request
    assert line.index(b"\n") == len(line) - 1
    spoilt(data, json.loads(line), lambda wrong: encode_request(decode_request(wrong)))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@WITHIN
@given(data=st.data())
def test_messages(kind: Any, data: st.DataObject) -> None:
    message = data.draw(values(kind))
    line = encode_message(message)
    assert decode_message(line) == message

    def again(wrong: bytes) -> bytes:
        decoded = decode_message(wrong)
        return (
            wrong if decoded is None or isinstance(decoded, Greeting) else encode_message(decoded)
        )

    spoilt(data, json.loads(line), again)


@pytest.mark.parametrize("kind", [*ANSWERS, Failure], ids=str)
@WITHIN
@given(data=st.data())
def test_answers(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    result = json.loads(json.dumps(as_result(value)))
    assert result_as(result, kind) == value

    def again(wrong: bytes) -> bytes:
        return json.dumps(as_result(result_as(json.loads(wrong), kind))).encode()

    spoilt(data, result, again)


def spoilt(data: st.DataObject, whole: Any, again: Callable[[bytes], bytes]) -> None:
    """Replace one value of a valid message: it must be refused, or be read exactly as it is."""
    wrong = copy.deepcopy([whole])
    holder: Any = wrong
    while True:
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        place = data.draw(st.sampled_from(places))
        inner = holder[place]
        if not inner or not isinstance(inner, dict | list) or data.draw(st.booleans()):
            break
        holder = inner
    match data.draw(st.sampled_from(["another", "less", "more"])):
        case "less" if holder is not wrong:
            del holder[place]
        case "more" if isinstance(holder, dict):
            holder[data.draw(st.text())] = data.draw(json_values)
        case _:
            holder[place] = data.draw(json_values)
    line = json.dumps(wrong[0]).encode()
    with suppress(UnreadableError):
        assert is_same(json.loads(again(line)), wrong[0])


def is_same(one: Any, other: Any) -> bool:
    """Compare JSON values; an integer may stand for a float, but not for a boolean."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


@given(st.text() | json_values.map(json.dumps))
def test_what_cannot_be_read_is_reported_in_text_that_can_be_shown(text: str) -> None:
    line = b'{"is": "Weigh", ' + json.dumps(text).encode() + b': "x"}'
    with pytest.raises(UnreadableError) as caught:
        decode_request(line)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
