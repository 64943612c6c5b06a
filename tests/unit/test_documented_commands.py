"""Whoever types what a page or a hint says is understood."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery.cli.parse import asks_for_help, command_named, parse
from pgpool_recovery.domain.error import UsageError

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
SOURCES = Path(pgpool_recovery.__file__).parent
STAGES = {"agent", "run", "agreed"}
"""No commands for people: the agent, and names of sessions, such as "pgpool-recovery run 7"."""
PLACES = {"--data-directory", "--pgpool-conf"}
FOR_WORDS = {
    "…": "1",
    "COMMAND": "status",
    "N": "1",
    "ID": "1",
    "NODE": "1",
    "DIR": "/data",
    "FILE": "/file",
}
OF_PACKAGES = re.compile(r"\b(apt|dnf) ")
COMMAND = re.compile(r"pgpool-recovery((?: (?!/|\d*>)[^\s|;&()`\"#]+)+)")


def code(page: Path) -> Iterator[str]:
    """Yield the lines of a page's blocks of shell commands, and its words between backquotes.

    Without those that install or remove packages, whose names look like our command with words.
    """
    text = page.read_text()
    for block in shell_blocks(page):
        lines = block.replace("\\\n", " ").split("\n")
        yield from (line for line in lines if OF_PACKAGES.search(line) is None)
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`(pgpool-recovery [^`]+)`", outside)


def shell_blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def texts(file: Path) -> Iterator[str]:
    """Yield the texts of a module, with a 1 where a value is put in."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = node.values
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "1" for p in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def commands() -> Iterator[tuple[str, str]]:
    """Yield where a command stands, and its words after ``pgpool-recovery``."""
    for page in PAGES:
        for line in code(page):
            yield from ((page.name, words.strip()) for words in COMMAND.findall(line))
    for file in SOURCES.rglob("*.py"):
        for text in texts(file):
            for quoted in re.findall(r'"(pgpool-recovery [a-z][^"]*)"', text):
                yield from ((file.name, words.strip()) for words in COMMAND.findall(quoted))


FOUND = sorted(set(commands()))


def test_commands_are_found() -> None:
    """In the pages, and in the hints of the program."""
    words = {words for _, words in FOUND}
    assert {"recover 1 --without-pgpool", "history", "attach 1", "failover --rehearse"} <= words
    assert {"choice.py", "install.md", "recover-a-node.md"} <= {where for where, _ in FOUND}


@pytest.mark.parametrize(("where", "words"), FOUND)
def test_command_is_one(where: str, words: str) -> None:
    """Its name, its options and the number of its words are those of the program."""
    given = [FOR_WORDS.get(word, word) for word in shlex.split(words)]
    if given[0] in STAGES or given[0].startswith("--"):
        return
    if given == ["cancel"] or given[-1] in PLACES:
        given.append("1")  # A page that speaks of the command, or of the option.
    try:
        command = command_named(given[0])
        if not asks_for_help(given):
            parse(command, given[1:])
    except UsageError as error:
        pytest.fail(f"{where}: pgpool-recovery {words}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shell_commands_can_be_read_by_a_shell(page: Path) -> None:
    for block in shell_blocks(page):
        argv = ["bash", "-n"]
        done = subprocess.run(argv, input=block, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{block}"
