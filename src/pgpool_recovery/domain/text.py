r"""Text of others, made fit to be shown: a line is one line, and nothing in it steers a terminal.

What a target, a server, Pgpool-II or a file says is shown to people, written to the server's log,
and put on record. A line break in it would forge a line of somebody else's, and an escape sequence
would redraw the terminal of whoever reads it. So each such character is written as an escape, as
in "\x1b": C0 and C1 control characters, the line separators of Unicode, the marks that turn the
direction of writing round, bytes that are no UTF-8, and halves of surrogate pairs.
"""

import re
from collections.abc import Iterable
from typing import Any

MAX_CHARACTERS = 8000
"""As much as the server tells of an error (extension/python, outcome.py)."""
KEPT_OF_THE_END = 6000
"""Of a text that is too long: the last lines of a program say why it failed."""
CUT = " [...] "

BYTES = ("\udc80", "\udcff")
"""What stands for a byte that is no UTF-8 (files/text.py)."""
FOREIGN_BYTE = re.compile(f"[{BYTES[0]}-{BYTES[1]}]")
STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def one_line(text: str) -> str:
    r"""Return a text as one line of limited length without control characters; a tab is a blank.

    >>> one_line("a\nb\x1b[2J"), one_line("caf\udce9")
    ('a\\nb\\x1b[2J', 'caf\\xe9')
    """
    return STEERING.sub(_escaped, _cut(text))


def without_foreign_bytes(text: str) -> str:
    r"""Return a text in which bytes that are no UTF-8 are escaped, and nothing else.

    >>> without_foreign_bytes("caf\udce9\n")
    'caf\\xe9\n'
    """
    return FOREIGN_BYTE.sub(_escaped, text)


def steers(text: str) -> bool:
    r"""Say whether a text has a control character; a byte that is no UTF-8 is a letter elsewhere.

    >>> steers("/d\udce4t\udce4"), steers("/a\x1b[2J")
    (False, True)
    """
    return any(not BYTES[0] <= found <= BYTES[1] for found in STEERING.findall(text))


def lines(text: str) -> str:
    r"""Return a text whose line breaks are meant, each of its lines as `one_line` has it.

    >>> lines("one\r\ntwo\x85")
    'one\ntwo\\x85'
    """
    return "\n".join(
        STEERING.sub(_escaped, line) for line in _cut(text.replace("\r\n", "\n")).split("\n")
    )


def shown(value: Any) -> Any:
    """Return a value of JSON types with every text in it as `lines` has it."""
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
    """Return the first of many texts, and how many more there are.

    >>> first_of(["a", "b", "c"], limit=2)
    ('a', '2 more of these')
    """
    given = tuple(texts)
    if len(given) <= limit:
        return given
    return (*given[: limit - 1], f"{len(given) - limit + 1} more of these")


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
    """Return a message and its detail in one line.

    >>> with_detail("the disk is full", "3 GB are free.\\nIt needs 4 GB.")
    'the disk is full (3 GB are free. It needs 4 GB.)'
    >>> with_detail("the disk is full", None)
    'the disk is full'
    """
    return f"{message} ({' '.join(detail.split())})" if detail else message
