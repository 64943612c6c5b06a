"""Exit statuses and output for right and wrong arguments."""

import json
import signal

import pytest

from pgpool_recovery import __version__
from pgpool_recovery.cli import app as module
from pgpool_recovery.cli.app import run_app


@pytest.mark.parametrize(
    "words",
    [
        ["recov"],
        ["recover"],
        ["recover", "1", "--all-down"],
        ["recover", "x"],
        ["recover", "--all-down", "--without-pgpool"],
        ["plan"],
        ["history", "x"],
        ["status", "--port", "x"],
        ["attach", "1", "--without-pgpool"],
    ],
    ids=" ".join,
)
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(words) in (2, 3)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ERROR:  ")


@pytest.mark.parametrize("words", ["status --js", "watch --e", "watch --j --events"])
def test_failure_is_told_to_programs_however_short_the_option_is(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app([*words.split(), "--port", "x"]) == 2
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["exit_status"] == 2
    assert told.get("event") == ("failed" if "--e" in words else None)
    assert (printed.out.count("\n") == 1) == ("--e" in words)
    assert printed.err == ""


@pytest.mark.parametrize("words", ["status", "status -j", "plan --", "recover - --yes"])
def test_failure_is_told_to_people_otherwise(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app([*words.split(), "--port", "x"]) != 0
    assert capsys.readouterr().out == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("ends_by", "number"),
    [(KeyboardInterrupt, signal.SIGINT), (BrokenPipeError, signal.SIGPIPE)],
)
def test_end_from_outside(
    monkeypatch: pytest.MonkeyPatch,
    ends_by: type[BaseException],
    number: signal.Signals,
) -> None:
    def end(*_: object, **__: object) -> None:
        raise ends_by

    monkeypatch.setattr(module, "_run", end)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert run_app(["status"]) == 128 + number
