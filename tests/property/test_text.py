"""Whatever a target, a server or a file says, each line shown is one line and controls nothing."""

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.cli.psql import as_psql
from pgpool_recovery.cli.say import complain, say
from pgpool_recovery.control.event import Happened
from pgpool_recovery.control.record import RecordedEvent
from pgpool_recovery.domain.error import Incomplete, error_of_record
from pgpool_recovery.domain.event import Event, Finished, PlanMade, Said, StepStarted, as_text, fit
from pgpool_recovery.domain.text import CUT, MAX_CHARACTERS, lines, one_line, shown
from pgpool_recovery.history.run import end_columns, event_row
from pgpool_recovery.pcp.client.pcp_error import Notice, PcpError
from pgpool_recovery.pcp.pool import as_recovery_error

STEERING = [
    *map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0x2066, 0xD800, 0xDFFF]),
    "\x1b[2J",
    "\r\n",
    '\n\x1e{"message": "forged", "target": "untouched"}',
]
TEXTS = st.lists(st.one_of(st.text(max_size=20), st.sampled_from(STEERING)), max_size=8).map(
    "".join
)
LONG = st.integers(0, 3 * MAX_CHARACTERS).map(lambda count: "\x1b" * count)


def is_one_line(text: str) -> bool:
    """Return whether no program, terminal or library takes it for several lines, or obeys it."""
    controls = {"Cc", "Cs", "Zl", "Zp"}
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return (
        not any(unicodedata.category(each) in controls for each in text)
        and not any(unicodedata.bidirectional(each) in bidi for each in text)
        and len(text.splitlines()) <= 1
    )


@given(st.one_of(TEXTS, LONG))
def test_text_becomes_one_line(text: str) -> None:
    assert is_one_line(one_line(text))
    assert all(map(is_one_line, lines(text).split("\n")))
    assert len(one_line(text)) <= len(r"\ud800") * MAX_CHARACTERS


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=100))
def test_text_that_steers_nothing_stays_as_it_is(text: str) -> None:
    assert one_line(text) == lines(text) == text


def test_end_of_a_long_text_is_kept() -> None:
    text = "begin" + "x" * 10 * MAX_CHARACTERS + "FATAL: the reason"
    assert one_line(text).startswith("begin")
    assert CUT in one_line(text)
    assert one_line(text).endswith("FATAL: the reason")


EVENTS: list[Callable[[str], Event]] = [
    lambda text: Said(text, text),
    lambda text: StepStarted(text, 1, 2),
    lambda text: Finished(text, 1.0),
    lambda text: PlanMade(text, (text, text)),
]


@pytest.mark.parametrize("make", EVENTS)
@given(text=TEXTS)
def test_promise_13_event_is_one_line_everywhere(make: Callable[[str], Event], text: str) -> None:
    event = make(text)
    assert all(map(is_one_line, as_text(event)))
    row = event_row(fit(event))
    assert all(map(is_one_line, row["line"].split("\n")))
    assert len(row["line"].split("\n")) == len(as_text(event))
    assert all(map(is_one_line, _texts(json.loads(row["data"]))))


@given(TEXTS, TEXTS)
def test_promise_13_failure_has_no_control_characters(message: str, detail: str) -> None:
    given = {"error": "Refused", "message": message, "detail": detail, "hint": detail}
    failure = error_of_record({**given, "target": "untouched"})
    assert is_one_line(failure.message)
    assert is_one_line(str(failure))
    assert all(map(is_one_line, as_psql(failure)))
    for error in (failure, Incomplete(message, detail=detail, hint=detail)):
        texts = _texts(end_columns(error, done="copied"))
        assert all(is_one_line(line) for text in texts for line in text.split("\n"))


@given(TEXTS, TEXTS)
def test_promise_13_what_pgpool_says_has_no_control_characters(message: str, detail: str) -> None:
    said = Notice("ERROR", "XX000", message, detail, detail)
    refusal = as_recovery_error(PcpError(message, detail, detail, answer=said))
    assert all(map(is_one_line, as_psql(refusal)))


@given(TEXTS)
def test_answer_keeps_its_lines_and_nothing_else(text: str) -> None:
    document = {"reasons": [{"message": text}], "names": (text,), text: 1}
    found = [line for each in _texts(shown(document)) for line in each.split("\n")]
    assert all(map(is_one_line, found))


@given(TEXTS)
def test_promise_13_what_is_said_is_as_many_lines_as_were_given(text: str) -> None:
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        say(text, f"node 1: {text}")
        complain(text)
    for said, count in ((out, 2), (err, 1)):
        *written, end = said.getvalue().split("\n")
        assert end == ""
        assert len(written) == count
        assert all(map(is_one_line, written))


@given(TEXTS)
def test_line_of_the_record_is_split_at_line_feeds_only(text: str) -> None:
    from pgpool_recovery.cli.render.lines import lines_of

    told = lines_of(Happened(None, 1, RecordedEvent(1, line=text)))
    assert told == [line for line in text.split("\n") if line]


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for pair in value.items() for one in pair for text in _texts(one)]
        case list() | tuple():
            return [text for one in value for text in _texts(one)]
        case _:
            return []
