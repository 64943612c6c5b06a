"""The help texts, at a fixed width and at others."""

import pytest

from pgpool_recovery.cli.app import run_app
from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.help import MAX_WIDTH, MIN_WIDTH, command_help, program_help
from tests.unit.cli.golden import assert_golden

WIDTH = 100


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@pytest.mark.parametrize("words", [["--help"], ["-h"], []], ids=" ".join)
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(words) == 0
    assert_golden("help", capsys.readouterr().out)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app([name, "--help"]) == 0
    assert_golden(f"help_{name}", capsys.readouterr().out)


@pytest.mark.parametrize("words", ["recover --bogus -h", "plan --port x --help", "history -h x"])
def test_help_is_given_whatever_the_other_words_are(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(words.split()) == 0
    assert capsys.readouterr().out.startswith("Usage: pgpool-recovery ")


@pytest.mark.parametrize("width", [MIN_WIDTH, 80, MAX_WIDTH])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    texts = [program_help(width), *(command_help(each, width) for each in COMMANDS.values())]
    lines = [line for text in texts for line in text.split("\n")]
    assert [line for line in lines if len(line) > width or line != line.rstrip()] == []


@pytest.mark.parametrize(("columns", "width"), [("20", MIN_WIDTH), ("83", 83), ("300", MAX_WIDTH)])
def test_width_is_that_of_the_terminal(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run_app(["promote", "--help"]) == 0
    assert capsys.readouterr().out == command_help(COMMANDS["promote"], width) + "\n"
