"""Which words end how."""

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
