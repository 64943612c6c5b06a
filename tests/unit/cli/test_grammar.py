"""The grammar of the commands matches the parameters of their functions."""

import inspect
from dataclasses import fields
from importlib import import_module

import pytest

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.cli.grammar import hooks, recovery
from pgpool_recovery.cli.grammar.commands import COMMANDS
from pgpool_recovery.cli.grammar.common import CONNECTION, DEBUG
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.hooks.call import WORDS

POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


@pytest.mark.parametrize("name", COMMANDS)
def test_function_takes_what_the_grammar_allows(name: str) -> None:
    command = COMMANDS[name]
    module = import_module(f"pgpool_recovery.cli.commands.{command.module}")
    parameters = inspect.signature(getattr(module, name)).parameters
    named = {key: one for key, one in parameters.items() if one.kind not in POSITIONAL}
    options = {option.keyword for option in (*command.options, *command.output)}
    assert set(named) == options | ({"where"} if command.is_connected else set())
    assert all(named[keyword].default is not inspect.Parameter.empty for keyword in options)
    words = [one for one in parameters.values() if one.kind in POSITIONAL]
    argument = command.argument
    assert len(words) == (argument is not None)
    for one in words:
        assert argument is not None
        is_repeatable = one.kind is inspect.Parameter.VAR_POSITIONAL
        assert is_repeatable == argument.is_repeatable
        is_required = not is_repeatable and one.default is inspect.Parameter.empty
        assert is_required == argument.is_required


def test_no_name_of_an_option_means_two_things() -> None:
    for command in COMMANDS.values():
        common = (DEBUG, *CONNECTION) if command.is_connected else ()
        options = (*command.options, *command.output, *common)
        names = [name for option in options for name in option.names]
        assert len(names) == len(set(names))
        assert not {"--help", "-h"} & set(names)


def test_connection_options_are_the_fields_of_where() -> None:
    assert [option.keyword for option in CONNECTION] == [field.name for field in fields(Where)]


def test_copies_of_what_is_slow_to_import_are_equal() -> None:
    assert tuple(Method) == recovery.METHODS
    assert hooks.PLACEHOLDERS == WORDS
