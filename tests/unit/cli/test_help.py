"""The help texts, at a fixed width."""

import pytest
from rich.console import Console

from pgpool_recovery.cli.app import COMMANDS, app
from tests.unit.cli.golden import assert_golden

WIDTH = 100
NAMES = [command.__name__ for commands in COMMANDS.values() for command in commands]


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    console = Console(width=WIDTH, force_terminal=False, color_system=None)
    app([*words, "--help"], console=console, result_action="return_value")
    text = capsys.readouterr().out
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert_golden("help", help_of(capsys))


@pytest.mark.parametrize("name", NAMES)
def test_help_of_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_golden(f"help_{name}", help_of(capsys, name))
