"""Placeholders in the words of a command: a value becomes one word, and no shell reads it."""

import re
from collections.abc import Iterable, Mapping

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def placeholders_of(words: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all placeholders; a brace without its partner raises ValueError.

    >>> placeholders_of(["/bin/copy", "--to={directory}", "{{as it is}}"])
    ('directory',)
    """
    return tuple(
        name for word in words for match in PLACEHOLDER.finditer(word) for name in _name(match)
    )


def filled(words: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Return the words with the values in place of the placeholders.

    >>> filled(["{a}/x", "{{a}}", "{b} {a}"], {"a": "1", "b": "two words"})
    ['1/x', '{a}', 'two words 1']
    """

    def value(match: re.Match[str]) -> str:
        name = next(iter(_name(match)), None)
        return match[0][0] if name is None else values[name]

    return [PLACEHOLDER.sub(value, word) for word in words]


def _name(match: re.Match[str]) -> list[str]:
    if match[0] in ("{{", "}}"):
        return []
    if match[1] is None:
        raise ValueError(f"has a single {match[0]}; write {match[0] * 2} for one")
    return [match[1]]
