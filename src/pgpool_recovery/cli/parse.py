"""Parse the words of a command with getopt, as PostgreSQL's own programs do."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from getopt import GetoptError, gnu_getopt
from typing import Any, NamedTuple

from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.grammar.common import CONNECTION, DEBUG, GENERAL, HELP
from pgpool_recovery.cli.grammar.form import PROGRAM, Command, Option, Value
from pgpool_recovery.domain.error import UsageError

END_OF_OPTIONS = "--"
STOPS_AT_ARGUMENTS = "POSIXLY_CORRECT"
"""If this variable is set, getopt treats an option after an argument as an argument, too."""


class ParsedCall(NamedTuple):
    """A command and its values, by the parameters of its function.

    `options` holds only what was given; the function has defaults for the rest. `connection` holds
    fields of `Where`. `is_debugging`: --debug was given.
    """

    command: Command
    words: tuple[object, ...]
    options: dict[str, object]
    connection: dict[str, Any]
    is_debugging: bool


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether the words ask for help, whatever else they contain."""
    options = words[: words.index(END_OF_OPTIONS)] if END_OF_OPTIONS in words else words
    return bool(set(HELP.names) & set(options))


def command_named(name: str) -> Command:
    """Return a command; raises UsageError, which suggests a similar name, if there is none."""
    if name in COMMANDS:
        return COMMANDS[name]
    how = f"{PROGRAM} --help"
    if name.startswith("-"):
        names = [name for option in GENERAL for name in option.names]
        raise UsageError(f'unknown option "{name}"', hint=_hint(how, name, names))
    raise UsageError(
        f'unknown command "{name}"',
        detail=f"The commands are {', '.join(COMMANDS)}.",
        hint=_hint(how, name, COMMANDS),
    )


def options_of(command: Command) -> tuple[Option, ...]:
    """Return all options of a command."""
    common = (DEBUG, *CONNECTION) if command.is_connected else ()
    return (*command.options, *command.output, *common)


def parse(command: Command, words: Sequence[str]) -> ParsedCall:
    """Parse the words after the name of a command; raises UsageError.

    >>> parse(COMMANDS["recover"], ["1", "--yes", "2", "-Hserver1"])[1:4]
    (('1', '2'), {'yes': True}, {'host': 'server1'})
    """
    known = {name: option for option in options_of(command) for name in option.names}
    try:
        given, rest = _by_getopt(words, known)
    except GetoptError as error:
        is_short = len(error.opt) == 1 and not any(w.startswith(f"--{error.opt}") for w in words)
        raise _misused(command, ("-" if is_short else "--") + error.opt, known) from error
    options: dict[str, object] = {}
    connection: dict[str, Any] = {}
    for name, text in given:
        option = known[name]
        values = connection if option in (DEBUG, *CONNECTION) else options
        if option.value is not None and text in words and _is_option(text):
            raise _misused(command, name, known)
        if option.value is None:
            values[option.keyword] = True
        elif option.is_repeatable:
            before = values.get(option.keyword, ())
            assert isinstance(before, tuple)  # noqa: S101 - made below, and nowhere else
            values[option.keyword] = (*before, _converted(command, name, option.value, text))
        else:
            values[option.keyword] = _converted(command, name, option.value, text)
    is_debugging = connection.pop(DEBUG.keyword, False)
    return ParsedCall(command, tuple(_arguments(command, rest)), options, connection, is_debugging)


def _is_option(text: str) -> bool:
    """Return whether a separate word is an option and not a value; -1 is a value."""
    return len(text) > 1 and text.startswith("-") and not text[1].isdigit()


def _misused(command: Command, name: str, known: dict[str, Option]) -> UsageError:
    """Return what is wrong with an option; getopt reports that only as text."""
    help_of = _help_of(command)
    if name in known:
        value = known[name].value
        needs = "takes no value" if value is None else f"needs a value, {value.metavar}"
        return UsageError(f"option {name} of {command.name} {needs}", hint=_try(help_of))
    begun = [one for one in known if one.startswith(name)]
    if begun:
        return UsageError(
            f'ambiguous option "{name}" of {command.name}',
            detail=f"It could be {' or '.join(begun)}.",
            hint=_try(help_of),
        )
    return UsageError(
        f'unknown option "{name}" of {command.name}', hint=_hint(help_of, name, known)
    )


def _by_getopt(
    words: Sequence[str], known: dict[str, Option]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the options with their values, and the arguments, in whatever order they come."""
    wanted = os.environ.pop(STOPS_AT_ARGUMENTS, None)
    try:
        given, arguments = gnu_getopt(list(words), *_as_getopt_has_it(known))
    finally:
        if wanted is not None:
            os.environ[STOPS_AT_ARGUMENTS] = wanted
    return [(name, _without_sign(name, text, words)) for name, text in given], arguments


def _without_sign(name: str, text: str, words: Sequence[str]) -> str:
    """Return the value of an option, x for -U=x too: getopt knows "=" only with long options."""
    is_joined = not name.startswith("--") and text not in words
    return text.removeprefix("=") if is_joined else text


def _as_getopt_has_it(known: dict[str, Option]) -> tuple[str, list[str]]:
    short, long = "", []
    for name, option in known.items():
        if name.startswith("--"):
            long.append(name.removeprefix("--") + "=" * (option.value is not None))
        else:
            short += name.removeprefix("-") + ":" * (option.value is not None)
    return short, long


def _arguments(command: Command, words: Sequence[str]) -> Iterator[object]:
    argument = command.argument
    most = 0 if argument is None else len(words) if argument.is_repeatable else 1
    if len(words) > most:
        raise UsageError(
            f'unexpected argument "{words[most]}" of {command.name}', hint=_try(_help_of(command))
        )
    if argument is None:
        return
    if argument.is_required and not words:
        raise UsageError(
            f"{command.name} needs the argument {argument.value.metavar}",
            detail=argument.help,
            hint=_try(_help_of(command)),
        )
    for word in words:
        yield _converted(command, argument.value.metavar, argument.value, word)


def _converted(command: Command, name: str, value: Value, text: str) -> object:
    if text in value.choices or not value.choices:
        with suppress(ValueError):
            return value.convert(text)
    expected = f"one of {', '.join(value.choices)}" if value.choices else value.expected
    raise UsageError(
        f'invalid value "{text}" for {name} of {command.name}',
        detail=f"It must be {expected}.",
        hint=_hint(_help_of(command), text, value.choices),
    )


def _help_of(command: Command) -> str:
    return f"{PROGRAM} {command.name} --help"


def _try(command_line: str) -> str:
    return f'Try "{command_line}".'


def _hint(command_line: str, word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # Slow to load, and needed only after a mistake.

    meant = [f'Did you mean "{one}"? ' for one in get_close_matches(word, known, n=1)]
    return "".join(meant) + _try(command_line)
