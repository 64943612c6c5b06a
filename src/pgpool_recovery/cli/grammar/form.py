"""Of what a command's words consist. Named tuples, because --help starts without dataclasses."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


PROGRAM = "pgpool-recovery"


class Value(NamedTuple):
    """What an option or an argument takes: `convert` raises ValueError for anything else.

    `expected` completes "It must be".
    """

    metavar: str
    convert: Callable[[str], object] = str
    expected: str = ""
    choices: tuple[str, ...] = ()
    is_path: bool = False


class Option(NamedTuple):
    """An option; `names` has the long one first. Without a value it is a flag."""

    names: tuple[str, ...]
    help: str
    value: Value | None = None
    parameter: str = ""
    """The parameter of the command's function, where it is not called as the option is."""
    is_repeatable: bool = False

    @property
    def keyword(self) -> str:
        """The parameter of the command's function that takes this option."""
        return self.parameter or self.names[0].removeprefix("--").replace("-", "_")


class Argument(NamedTuple):
    """What stands in a command without the name of an option; at most one of a command's kind."""

    value: Value
    help: str
    is_required: bool = False
    is_repeatable: bool = False


class Command(NamedTuple):
    """A command: the function `name` of `commands/<module>.py`, and its words.

    `is_connected`: it has the options that say where Pgpool-II is, as one `Where`.
    """

    name: str
    module: str
    summary: str
    description: str = ""
    argument: Argument | None = None
    options: tuple[Option, ...] = ()
    output: tuple[Option, ...] = ()
    is_connected: bool = False


def whole_number(word: str) -> int:
    """Return a whole number greater than 0."""
    if not word.isdecimal() or int(word) == 0:
        raise ValueError(word)
    return int(word)


def seconds(word: str) -> float:
    """Return a number greater than 0."""
    number = float(word)
    if not math.isfinite(number) or number <= 0:
        raise ValueError(word)
    return number


def path(word: str) -> "Path":
    """Return a path; the module is imported only here, because it takes its time."""
    from pathlib import Path

    return Path(word)


def whole(metavar: str) -> Value:
    """Return a value that is a whole number."""
    return Value(metavar, whole_number, "a whole number greater than 0")


def file(metavar: str) -> Value:
    """Return a value that is a path, which the shell can complete."""
    return Value(metavar, path, is_path=True)


NODE = Value("NODE")
SECONDS = Value("SECONDS", seconds, "a number greater than 0")
