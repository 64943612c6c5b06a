"""Write settings as TOML.

Only the standard library, so that it can be tested without Ansible.
"""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, Mapping, Sequence

BARE = re.compile(r"[A-Za-z0-9_-]+")
HEAD = "# Written by Ansible, by a role of pgpool_recovery.cluster.\n"


def to_toml(settings: Mapping[str, Any]) -> str:
    """Return the text of a settings file; raise ValueError for a value that TOML does not have.

    >>> print(to_toml({"ssh": {"user": "postgres"}, "node": {1: {"port": 5433}}}), end="")
    # Written by Ansible, by a role of pgpool_recovery.cluster.
    <BLANKLINE>
    [ssh]
    user = "postgres"
    <BLANKLINE>
    [node.1]
    port = 5433
    """
    return HEAD + "".join(f"{line}\n" for line in _table((), settings))


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table: its values, and then the tables in it."""
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if path and (values or not tables):
        yield ""
        yield f"[{'.'.join(path)}]"
    for key, value in values.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, inner in tables.items():
        yield from _table((*path, _key(key)), inner)


def _key(key: Any) -> str:
    text = str(key)
    return text if BARE.fullmatch(text) else _string(text)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, value))}]"
    raise ValueError(f"a setting cannot have the value {value!r}")


def _string(text: str) -> str:
    """Return a basic string: as in JSON, but without surrogates, and with DEL escaped."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
