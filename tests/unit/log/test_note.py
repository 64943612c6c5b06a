"""The log of a process: if off, it does nothing; if on, it is complete and has a limit."""

import re
from collections.abc import Iterator

import pytest

from pgpool_recovery.domain.error import Cancelled, Unreachable
from pgpool_recovery.log import note as log
from pgpool_recovery.log.note import is_on, note, note_parts, span, turn_off, turn_on
from pgpool_recovery.talk.request.server import FindLog


@pytest.fixture
def lines() -> Iterator[list[str]]:
    written: list[str] = []
    turn_on(written.append, "stage[7]@server1 node 1")
    yield written
    turn_off()


def test_nothing_is_evaluated_if_it_is_off() -> None:
    class Precious:
        def __str__(self) -> str:
            raise AssertionError("it was shown")

    assert not is_on()
    note("one {}", Precious())
    note_parts("part", Precious())
    with span("does {}", Precious()) as doing:
        doing.came_to(Precious())


def test_line_has_the_time_and_its_origin(lines: list[str]) -> None:
    note("asks {}", "a question")
    begin, line = lines
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \+\d+\.\d{3} "
    assert re.fullmatch(stamp + re.escape("stage[7]@server1 node 1: asks a question"), line)
    assert "the log begins at" in begin
    assert "s of CPU so far" in begin


def test_line_for_a_reader_with_another_clock_has_only_the_seconds() -> None:
    written: list[str] = []
    turn_on(written.append, "agent[8]@server2", tells_time=False)
    note("runs")
    turn_off()
    assert re.fullmatch(r"\+\d+\.\d{3} agent\[8\]@server2: runs", written[1])


def test_what_takes_time_is_logged_twice(lines: list[str]) -> None:
    with span("asks {}: {}", "node 1", FindLog("/data")) as asking:
        asking.came_to("an answer")
    _, begin, end = (line.partition("node 1: ")[2] for line in lines)
    assert begin == "asks node 1: FindLog(data_directory: /data)"
    assert re.fullmatch(r"asks node 1: FindLog ended after \d+\.\d{3} s: an answer", end)


def test_what_is_brief_is_logged_once(lines: list[str]) -> None:
    with span("query {}", "x", is_brief=True):
        assert len(lines) == 1
    assert re.search(r": query x ended after \d+\.\d{3} s$", lines[1])


def test_failure_is_logged_and_raised(lines: list[str]) -> None:
    with pytest.raises(Unreachable), span("asks"):
        raise Unreachable("it is gone", detail="Why.")
    assert re.search(r": asks failed after \d+\.\d{3} s: Unreachable: it is gone: Why\.$", lines[2])
    with pytest.raises(KeyError), span("asks"):
        raise KeyError("a value")
    assert lines[-1].endswith("s: KeyError")


def test_what_was_stopped_has_not_failed(lines: list[str]) -> None:
    """Such as pg_receivewal, which goes on until a copy is complete."""
    with pytest.raises(Cancelled), span("runs {}", "pg_receivewal"):
        raise Cancelled("the recovery was cancelled")
    assert re.search(r": runs pg_receivewal was stopped after \d+\.\d{3} s$", lines[-1])


def test_log_has_a_limit(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 2000)
    for _ in range(1000):
        note("one more line")
    assert lines[-1].endswith("2000 bytes have been logged; this is all")
    assert sum(map(len, lines)) < 3000


def test_limit_counts_bytes(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 2000)
    for _ in range(1000):
        note("ÄÖÜäöüß" * 10)
    assert lines[-1].endswith("2000 bytes have been logged; this is all")
    assert len("".join(lines).encode()) < 2500


def test_nothing_is_evaluated_past_the_limit(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 100)
    note("the last line")
    told = len(lines)

    class Precious:
        def __str__(self) -> str:
            raise AssertionError("it was shown")

    note("one {}", Precious())
    assert len(lines) == told


def test_reader_that_is_gone_ends_nothing() -> None:
    def write(_line: str) -> None:
        raise BrokenPipeError

    turn_on(write, "x")
    note("one")
    turn_off()


def test_cancel_while_a_line_is_written_is_noticed() -> None:
    def write(line: str) -> None:
        if "two" in line:
            raise Cancelled("the recovery was cancelled")

    turn_on(write, "x")
    note("one")
    with pytest.raises(Cancelled):
        note("two")
    turn_off()
