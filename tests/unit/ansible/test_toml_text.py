"""Settings are written so that they are read as what they were."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from toml_text import to_toml

TEXTS = some.text(some.characters(exclude_categories=["Cs"]))
VALUES = some.recursive(
    some.booleans() | some.integers(-(2**63), 2**63 - 1) | TEXTS, some.lists, max_leaves=9
)
TABLES = some.recursive(
    some.dictionaries(TEXTS, VALUES),
    lambda tables: some.dictionaries(TEXTS, VALUES | tables),
    max_leaves=9,
)


@given(TABLES)
def test_read_as_it_was(settings: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(settings)) == settings


def test_number_of_a_node_is_a_key() -> None:
    text = to_toml({"node": {1: {"start_command": ["sudo", "-n"]}}})
    assert text.endswith('\n[node.1]\nstart_command = ["sudo", "-n"]\n')


@pytest.mark.parametrize("value", [None, object(), [None]])
def test_what_toml_has_not_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="cannot have the value"):
        to_toml({"ssh": {"user": value}})
