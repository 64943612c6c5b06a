r"""Make foreign text safe to show: a line stays one line, and nothing in it controls a terminal.

The output of a target, a server, Pgpool-II or a file is shown to people, written to the server's
log, and recorded. A line break in it could forge a line of another origin, and an escape sequence
could redraw the reader's terminal. So these characters are written as escapes such as "\x1b": C0
and C1 control characters, the line separators of Unicode, the marks that change the direction of
writing, bytes that are not UTF-8, and halves of surrogate pairs.
"""

import re
from collections.abc import Iterable
from typing import Any

MAX_CHARACTERS = 8000
"""As much as the server reports of an error (extension/python, outcome.py)."""
KEPT_OF_THE_END = 6000
"""The last lines of a program say why it failed, so the end of a long text is kept."""
CUT = " [...] "

BYTES = ("\udc80", "\udcff")
"""The characters that stand for bytes that are not UTF-8 (files/text.py)."""
FOREIGN_BYTE = re.compile(f"[{BYTES[0]}-{BYTES[1]}]")
STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def one_line(text: str) -> str:
    r"""Return a text as one line of limited length without control characters; tabs become spaces.

    >>> one_line("a\nb\x1b[2J"), one_line("caf\udce9")
    ('a\\nb\\x1b[2J', 'caf\\xe9')
    """
    return STEERING.sub(_escaped, _cut(text))


def without_foreign_bytes(text: str) -> str:
    r"""Return a text in which only bytes that are not UTF-8 are escaped.

    >>> without_foreign_bytes("caf\udce9\n")
    'caf\\xe9\n'
    """
    return FOREIGN_BYTE.sub(_escaped, text)


def steers(text: str) -> bool:
    r"""Return whether a text has a control character; a byte that is not UTF-8 does not count.

    Such a byte is a letter in another encoding.

    >>> steers("/d\udce4t\udce4"), steers("/a\x1b[2J")
    (False, True)
    """
    return any(not BYTES[0] <= found <= BYTES[1] for found in STEERING.findall(text))


def lines(text: str) -> str:
    r"""Return a text whose line breaks are kept; each of its lines is escaped as by `one_line`.

    >>> lines("one\r\ntwo\x85")
    'one\ntwo\\x85'
    """
    return "\n".join(
        STEERING.sub(_escaped, line) for line in _cut(text.replace("\r\n", "\n")).split("\n")
    )


def shown(value: Any) -> Any:
    """Return a value of JSON types with every text in it escaped by `lines`."""
    match value:
        case str():
            return lines(value)
        case list() | tuple():
            return [shown(one) for one in value]
        case dict():
            return {shown(name): shown(one) for name, one in value.items()}
        case _:
            return value


def first_of(texts: Iterable[str], *, limit: int) -> tuple[str, ...]:
    """Return at most `limit` texts: the first ones, and how many more there are.

    >>> first_of(["a", "b", "c"], limit=2)
    ('a', 'and 2 more')
    """
    given = tuple(texts)
    if len(given) <= limit:
        return given
    return (*given[: limit - 1], f"and {len(given) - limit + 1} more")


def _cut(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[: MAX_CHARACTERS - KEPT_OF_THE_END - len(CUT)] + CUT + text[-KEPT_OF_THE_END:]


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if BYTES[0] <= character <= BYTES[1]:
        return f"\\x{ord(character) & 0xFF:02x}"
    return " " if character == "\t" else repr(character)[1:-1]


def with_detail(message: str, detail: str | None) -> str:
    """Return a message with its detail on one line.

    >>> with_detail("the disk is full", "3 GB are free.\\nIt needs 4 GB.")
    'the disk is full (3 GB are free. It needs 4 GB.)'
    >>> with_detail("the disk is full", None)
    'the disk is full'
    """
    return f"{message} ({' '.join(detail.split())})" if detail else message
