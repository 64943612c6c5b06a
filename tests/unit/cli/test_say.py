"""Output is written in whole lines, whichever thread writes it."""

import io
import sys
from collections.abc import Callable

import pytest

from pgpool_recovery.cli.say import complain, say, say_json, say_record, say_to_log


class Written(io.StringIO):
    """Keeps what each call writes: between two calls another thread may write."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def write(self, text: str) -> int:
        if text:
            self.calls.append(text)
        return len(text)


@pytest.mark.parametrize(
    ("speak", "written"),
    [
        (lambda: say("one", "two\nlines"), "one\ntwo\\nlines\n"),
        (say, "\n"),
        (lambda: say_json("{}"), "{}\n"),
        (lambda: say_record("s3cr3t", "{}"), "\x1es3cr3t {}\n"),
        (lambda: say_to_log("s3cr3t", "a\nb"), "\x1es3cr3t log a\\nb\n"),
        (lambda: complain("one", "two"), "one\ntwo\n"),
    ],
)
def test_lines_are_written_by_one_call(
    monkeypatch: pytest.MonkeyPatch, speak: Callable[[], None], written: str
) -> None:
    both = Written()
    monkeypatch.setattr(sys, "stdout", both)
    monkeypatch.setattr(sys, "stderr", both)
    speak()
    assert both.calls == [written]
