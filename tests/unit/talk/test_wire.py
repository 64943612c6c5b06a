"""Messages survive the conversion to a line of JSON and back."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.domain.event import Progress
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.backup import Backup, NoBackup
from pgpool_recovery.facts.facts import TargetFacts
from pgpool_recovery.facts.step.standby import CreateSlot
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.talk import wire
from pgpool_recovery.talk.protocol import Answer, Failure, Greeting, Message, Ping, Request
from pgpool_recovery.talk.request.directory import Observe
from pgpool_recovery.talk.request.steps import TakeStep
from pgpool_recovery.talk.wire import (
    UnreadableError,
    as_result,
    decode_message,
    decode_request,
    encode_message,
    encode_request,
    result_as,
)
from tests.unit.plan.situation import facts, place, primary, tablespace, target
from tests.unit.plan.test_basebackup import plan


def test_every_step_of_a_plan() -> None:
    situation = facts(
        primary=primary(tablespaces=(tablespace(),)),
        target=target(tablespaces={16400: place("/ts1/x", identity=None)}, wal=place("/wal")),
    )
    made = plan(situation)
    for step in made.steps:
        if not isinstance(step, CreateSlot):
            assert decode_request(encode_request(TakeStep(step, 9.0))) == TakeStep(step, 9.0)


def test_facts_as_a_result() -> None:
    assert result_as(as_result(target(wal=place("/wal"))), TargetFacts) == target(wal=place("/wal"))


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text(text: str, mapping: dict[str, str]) -> None:
    request: Request = Observe(text, 15, (text,), (), mapping, None, (), 1)
    assert decode_request(encode_request(request)) == request
    assert encode_request(request).count(b"\n") == 1


def test_messages() -> None:
    messages: list[Message] = [
        Greeting("pgpool-recovery", 1, "2.0.0"),
        Answer(result={"a": [1, None]}),
        Answer(failure={"message": "x"}),
        Progress(1, 2, 3.0),
    ]
    for message in messages:
        assert decode_message(encode_message(message)) == message
    assert decode_request(encode_request(Ping())) == Ping()


def test_lines_of_a_login_shell_are_not_messages() -> None:
    for line in (b"Welcome!", b"", b"{}", b"[1]", b'"x"', b"\xff"):
        assert decode_message(line) is None


POINT = {"timeline": 1, "lsn": 2}
WRONG: list[tuple[Any, Any, str]] = [
    (bool, 1, "a value is neither true nor false"),
    (bool, None, "a value is neither true nor false"),
    (int, True, "a value is not an integer"),
    (int, 1.0, "a value is not an integer"),
    (int, "1x", "a value is not an integer"),
    (float, False, "a value is not a number"),
    (float, "1", "a value is not a number"),
    (float, 10**400, "a number is too large"),
    (str, 1, "a value is not a string"),
    (type(None), 0, "a value is not null"),
    (TargetState, "lost", "TargetState has no lost"),
    (TargetState, [], "a value is not a string"),
    (tuple[int, ...], {"0": 1}, "a value is not a list"),
    (tuple[int, ...], "12", "a value is not a list"),
    (dict[int, str], [], "a value is not an object"),
    (dict[int, str], {"007": "x"}, "a value is not an integer"),
    (dict[int, str], {"9" * 5000: "x"}, "a value is not an integer"),
    (Point, None, "Point is not an object"),
    (Point, {"lsn": 2}, "Point lacks timeline"),
    (Point, {**POINT, "more": 1, "and": 2}, "Point also has and, more"),
    (Point, {**POINT, "lsn": None}, "a value is not an integer"),
    (Point | None, {**POINT, "lsn": None}, "a value is not an integer"),
    (Backup | NoBackup, POINT, "no known result has the fields lsn, timeline"),
    (Backup | NoBackup, None, "no known result has the fields "),
    (TargetStep, {"is": "CreateSlot"}, "unknown type CreateSlot"),
    (TargetStep, {"is": 1}, "it is not a message"),
    (TargetStep, {"is": "\x1b[2J" + "x" * 300}, "unknown type \\x1b[2J" + "x" * 183),
]


@pytest.mark.parametrize(("kind", "value", "said"), WRONG)
def test_wrong_type_is_named(kind: Any, value: Any, said: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        result_as(value, kind)
    assert str(caught.value) == said


def test_every_class_of_the_protocol_can_be_read_and_written() -> None:
    """The functions are made for the first value of a class, for some only in an emergency."""
    for kind in (*get_args(Request), *get_args(Message), *get_args(TargetStep), Failure):
        assert callable(wire._reader(kind))
        assert callable(wire._writer(kind))


def test_greeting_of_an_earlier_build_offers_nothing() -> None:
    line = b'{"is": "Greeting", "agent": "a", "protocol": 5, "version": "2"}'
    greeting = decode_message(line)
    assert isinstance(greeting, Greeting)
    assert greeting.offers == ()
    assert Greeting("a AskThis AskThat", 5, "2").offers == ("AskThis", "AskThat")
    short = b'{"is": "Greeting", "agent": "a", "protocol": 5}'
    with pytest.raises(UnreadableError, match="Greeting lacks version"):
        decode_message(short)


def test_greeting_may_have_more_fields_so_its_version_can_be_named() -> None:
    line = b'{"is": "Greeting", "agent": "a", "protocol": 9, "version": "9", "more": [1]}'
    assert decode_message(line) == Greeting("a", 9, "9")
