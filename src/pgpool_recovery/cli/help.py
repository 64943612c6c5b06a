"""Render the help of the program and of each command, in the layout of PostgreSQL's programs."""

import os
from collections.abc import Iterable, Iterator
from textwrap import wrap

from pgpool_recovery.cli.grammar.commands import SECTIONS
from pgpool_recovery.cli.grammar.common import CONNECTION, DEBUG, GENERAL, HELP
from pgpool_recovery.cli.grammar.form import PROGRAM, Argument, Command, Option

ABOUT = "Online recovery of PostgreSQL nodes behind Pgpool-II."
MIN_WIDTH, WIDTH, MAX_WIDTH = 60, 80, 100
"""In columns. WIDTH is used when the output is not a terminal."""
INDENT = GAP = 2


def own_width() -> int:
    """Return how many columns a line may have: from COLUMNS, or else from the terminal."""
    columns = os.environ.get("COLUMNS", "")
    try:
        width = int(columns) if columns.isdecimal() else os.get_terminal_size(1).columns
    except OSError:
        width = WIDTH
    return min(max(width, MIN_WIDTH), MAX_WIDTH)


def program_help(width: int) -> str:
    """Return the help of the program: its commands and general options."""
    tables = {
        title: [(command.name, command.summary) for command in commands]
        for title, commands in SECTIONS.items()
    }
    general = {"Options": [(_names(each), each.help) for each in GENERAL]}
    return "\n\n".join(
        [
            f"Usage: {PROGRAM} COMMAND",
            ABOUT,
            *_sections(tables, width),
            *_sections(general, width),
            _wrapped(f'Try "{PROGRAM} COMMAND --help" for more information on a command.', width),
        ]
    )


def command_help(command: Command, width: int) -> str:
    """Return the help of a command: what it does, its arguments and its options."""
    paragraphs = [command.summary, *filter(None, command.description.split("\n\n"))]
    argument = command.argument
    tables = {
        "Arguments": [] if argument is None else [(argument.value.metavar, argument.help)],
        "Options": _rows((*command.options, HELP)),
        "Connection": _rows(CONNECTION if command.is_connected else ()),
        "Output": _rows((*command.output, *((DEBUG,) if command.is_connected else ()))),
    }
    return "\n\n".join(
        [
            f"Usage: {PROGRAM} {command.name} [OPTION]...{_usual(argument)}",
            *(_wrapped(paragraph, width) for paragraph in paragraphs),
            *_sections(tables, width),
        ]
    )


def _usual(argument: Argument | None) -> str:
    """Return an argument as it appears in the usage line: optional or not, repeatable or not.

    >>> [_usual(command.argument) for command in SECTIONS["Recovery"]]
    [' [NODE]...', ' NODE', '', ' [NODE]', ' NODE', ' [RUN]']
    """
    if argument is None:
        return ""
    name = argument.value.metavar
    more = "..." if argument.is_repeatable else ""
    return f" {name}{more}" if argument.is_required else f" [{name}]{more}"


def _rows(options: Iterable[Option]) -> list[tuple[str, str]]:
    return [(_names(option), _told(option)) for option in options]


def _names(option: Option) -> str:
    """Return the names of an option, the short one first, or a gap if there is none.

    >>> [_names(option) for option in CONNECTION][2:4]
    ['-U, --username=NAME', '    --config=FILE']
    """
    long, *short = option.names
    value = "" if option.value is None else f"={option.value.metavar}"
    return f"{f'{short[0]}, ' if short else '    '}{long}{value}"


def _told(option: Option) -> str:
    choices = option.value.choices if option.value is not None else ()
    return f"{option.help} {{{', '.join(choices)}}}" if choices else option.help


def _sections(tables: dict[str, list[tuple[str, str]]], width: int) -> Iterator[str]:
    """Yield tables with their titles; the right columns of all tables are aligned."""
    rows = [row for table in tables.values() for row in table]
    left = max(len(name) for name, _ in rows)
    for title, table in tables.items():
        if table:
            yield "\n".join([f"{title}:", *(_row(*row, left, width) for row in table)])


def _row(name: str, text: str, left: int, width: int) -> str:
    begin = " " * INDENT + name.ljust(left) + " " * GAP
    return _wrapped(text, width, begin)


def _wrapped(text: str, width: int, begin: str = "") -> str:
    """Return a paragraph, or a row that starts with `begin`, in lines of at most `width`."""
    plain = " ".join(text.replace("`", '"').split())
    lines = wrap(
        plain,
        width,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
