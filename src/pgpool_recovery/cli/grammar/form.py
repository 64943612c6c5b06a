"""The parts of a command's grammar. Named tuples, because importing dataclasses slows --help."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


PROGRAM = "pgpool-recovery"


class Value(NamedTuple):
    """The value of an option or an argument.

    `convert` raises ValueError if the text is not valid. `expected` completes the sentence
    "It must be …".
    """

    metavar: str
    convert: Callable[[str], object] = str
    expected: str = ""
    choices: tuple[str, ...] = ()
    is_path: bool = False


class Option(NamedTuple):
    """An option; the first of `names` is the long one. An option without a value is a flag."""

    names: tuple[str, ...]
    help: str
    value: Value | None = None
    parameter: str = ""
    """The parameter of the command's function, if its name differs from that of the option."""
    is_repeatable: bool = False

    @property
    def keyword(self) -> str:
        """The parameter of the command's function that takes this option."""
        return self.parameter or self.names[0].removeprefix("--").replace("-", "_")


class Argument(NamedTuple):
    """The positional argument of a command; a command has at most one kind of them."""

    value: Value
    help: str
    is_required: bool = False
    is_repeatable: bool = False


class Command(NamedTuple):
    """A command: the function `name` of `commands/<module>.py`, and its arguments and options.

    `is_connected`: the command has the connection options, which it gets as one `Where`.
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
    """Return a path; pathlib is imported only here because it is slow to load."""
    from pathlib import Path

    return Path(word)


def whole(metavar: str) -> Value:
    """Return a value that is a whole number."""
    return Value(metavar, whole_number, "a whole number greater than 0")


def file(metavar: str) -> Value:
    """Return a value that is a path, which shells complete."""
    return Value(metavar, path, is_path=True)


NODE = Value("NODE")
SECONDS = Value("SECONDS", seconds, "a number greater than 0")
