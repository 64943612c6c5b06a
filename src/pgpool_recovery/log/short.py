"""Shorten values for the log, such as facts, requests and argument vectors, without passwords.

Passwords are masked in each text before it is cut or quoted, since half a password could no longer
be recognized.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from itertools import islice
from pathlib import PurePath

from pgpool_recovery.domain.bug import kind_of
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.text import one_line, without_foreign_bytes
from pgpool_recovery.domain.wal import Lsn, Point, lsn_text
from pgpool_recovery.files.text import text_of
from pgpool_recovery.in_server.masked_text import MASK, NAME, masked

MASKED = text_of(MASK)
MAX_CHARACTERS = 3000
"""The limit for a value: the server's log takes such a line in one piece (PIPE_BUF)."""
MAX_TEXT = 1000
MAX_LOOKED_AT = 8192
"""Only so much of a text is searched for passwords; the rest is never shown."""
MAX_ITEMS, MAX_WORDS = 12, 60
MAX_DEPTH = 8
SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|scram_\w+_key|^pw$|^pass$", re.IGNORECASE
)
SECRET_FOLLOWS = re.compile(rf"--([a-z0-9]+-)*{text_of(NAME)}$", re.IGNORECASE)
PLAIN = re.compile(r"[\w@%+:,./=-]+", re.ASCII)


def short(value: object) -> str:
    r"""Return a value on one line of limited length, without fields that have their default.

    >>> short({"host": "a", "password": "b", "port": 5432})
    '{host: a, password: ********, port: 5432}'
    >>> short(("psql", "host=a password='b c'", "--password", "b"))
    "[psql 'host=a password=********' --password ********]"
    """
    text = _told(value, MAX_CHARACTERS) if isinstance(value, str) else _short(value, 0)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}..."


def name_of(value: object) -> str:
    """Return a short name of a value that was shown before: the class of a record, a program.

    >>> name_of(("/usr/bin/ssh", "server2")), name_of("node 1")
    ('ssh', 'node 1')
    """
    if _fields(value) is not None:
        return type(value).__name__
    if isinstance(value, list | tuple) and value and isinstance(value[0], str):
        return PurePath(short(value[0])).name
    return short(value)


def parts_of(record: object) -> list[tuple[str, object]]:
    """Return names and values of a dataclass or a named tuple, without those with the default."""
    found = _fields(record) or []
    return [(name, MASKED if _is_secret(name, value) else value) for name, value in found]


def _short(value: object, depth: int) -> str:  # noqa: C901 - one case for each kind of value
    if depth > MAX_DEPTH:
        return "..."
    match value:
        case Enum():
            return _text(str(value.value))
        case str() | PurePath():
            return _text(str(value))
        case bytes():
            return f"<{len(value)} bytes>"
        case float():
            return f"{value:g}"
        case Point():
            return f"{lsn_text(value.lsn)}@{value.timeline}"
        case RecoveryError():
            return f"{type(value).__name__}: {_told(value.in_a_line)}"
        case BaseException():  # Its message may contain any value.
            return kind_of(value)
        case _ if (found := _fields(value)) is not None:
            pairs = (_pair(name, each, depth) for name, each in found)
            return f"{type(value).__name__}({', '.join(pairs)})"
        case Mapping():
            pairs = (_pair(_short(key, depth + 1), each, depth) for key, each in value.items())
            return f"{{{_listed(pairs, len(value))}}}"
        case Sequence() if all(isinstance(each, str) for each in value):
            return f"[{_words(value)}]"
        case Sequence() | AbstractSet():
            return f"[{_listed((_short(each, depth + 1) for each in value), len(value))}]"
        case _:
            return _text(str(value))


def _pair(name: str, value: object, depth: int) -> str:
    if _is_secret(name, value):
        return f"{name}: {MASKED}"
    return f"{name}: {_short(value, depth + 1)}"


def _is_secret(name: str, value: object) -> bool:
    return isinstance(value, Sequence | Mapping) and SECRET_NAME.search(name) is not None


def _fields(value: object) -> list[tuple[str, object]] | None:
    """Return names and values of a record, without defaults; None for any other value."""
    if isinstance(value, type):
        return None
    if is_dataclass(value):
        pairs = [(one.name, _as_typed(getattr(value, one.name), one.type)) for one in fields(value)]
        defaults = {one.name: one.default for one in fields(value) if one.default is not MISSING}
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        pairs = list(value._asdict().items())
        defaults = value._field_defaults  # type: ignore[attr-defined]
    else:
        return None
    return [(name, one) for name, one in pairs if one != {} and not _is_same(one, defaults, name)]


def _as_typed(value: object, kind: object) -> object:
    """Return an LSN as PostgreSQL prints it; only the type of its field shows that it is one."""
    return lsn_text(Lsn(value)) if isinstance(value, int) and "wal.Lsn" in str(kind) else value


def _is_same(value: object, defaults: Mapping[str, object], name: str) -> bool:
    return name in defaults and bool(value == defaults[name])


def _listed(
    items: Iterable[str], count: int, *, limit: int = MAX_ITEMS, between: str = ", "
) -> str:
    shown = [*islice(items, limit), *([f"{count - limit} more"] if count > limit else [])]
    return between.join(shown)


def _words(words: Sequence[str]) -> str:
    """Return an argument vector as one text; a word may announce that the next is a password."""
    is_secret = [False, *(SECRET_FOLLOWS.match(word) is not None for word in words)]
    quoted = (MASKED if is_secret[place] else _text(word) for place, word in enumerate(words))
    return _without_passwords(_listed(quoted, len(words), limit=MAX_WORDS, between=" "))


def _text(text: str) -> str:
    """Return a text without passwords, quoted for a shell unless it is one plain word."""
    told = _told(text)
    return told if PLAIN.fullmatch(told) else "'" + told.replace("'", "'\\''") + "'"


def _told(text: str, limit: int = MAX_TEXT) -> str:
    told = one_line(_without_passwords(text[:MAX_LOOKED_AT]))
    return told if len(told) <= limit else f"{told[:limit]}...({len(text)} characters)"


def _without_passwords(text: str) -> str:
    return text_of(masked(without_foreign_bytes(text).encode(errors="backslashreplace")))
