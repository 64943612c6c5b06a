"""Messages survive the way through a line of JSON."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pgpool_recovery.domain.event import Progress
from pgpool_recovery.facts.facts import TargetFacts
from pgpool_recovery.facts.step import CreateSlot
from pgpool_recovery.talk.protocol import (
    Answer,
    Greeting,
    Message,
    Observe,
    Ping,
    Request,
    TakeStep,
)
from pgpool_recovery.talk.wire import (
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


@settings(deadline=None)
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


def test_lines_of_a_login_shell_are_no_messages() -> None:
    for line in (b"Welcome!", b"", b"{}", b"[1]", b'"x"', b"\xff"):
        assert decode_message(line) is None
