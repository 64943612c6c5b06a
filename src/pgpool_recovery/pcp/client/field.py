"""Parse the fields of a message: strings that end with a NUL, and decimal numbers."""

import math
import re
from typing import Dict, List, Optional

from .pcp_error import INTERNAL, Notice, PcpError, malformed

MAX_DIGITS = 19
SHOWN_CHARACTERS = 40


def strings_of(payload: bytes) -> List[str]:
    r"""Return the strings of a message.

    Bytes that are not UTF-8 are replaced: names have the encoding of their database, and Pgpool-II
    truncates its messages at 255 bytes, possibly within a character.

    >>> strings_of(b"CommandComplete\0" b"2\0")
    ['CommandComplete', '2']
    """
    if not payload.endswith(b"\0"):
        raise malformed("A message of %d bytes does not end with a NUL." % len(payload))
    return payload[:-1].decode("utf-8", "replace").split("\0")


def integer_of(text: str, name: str) -> int:
    """Return an integer; `name` is the field that a failure names.

    >>> integer_of("-1", "the quorum")
    -1
    """
    if not re.match(r"-?[0-9]{1,%d}\Z" % MAX_DIGITS, text):
        raise malformed('The field "%s" is %s, which is not a number.' % (name, shown(text)))
    return int(text)


def real_of(text: str) -> Optional[float]:
    """Return a number with a fraction, as Pgpool-II writes it with %f or %lf, or None.

    None stands for text that is not a number, and for NaN and infinity: Pgpool-II divides each
    weight by their sum, which is 0 when pgpool.conf sets none, and sends what the C library prints
    for the result. The value is only displayed.

    >>> real_of("-nan") is None
    True
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def integer_if_any(text: str) -> Optional[int]:
    """Return an integer, None where there is none: a value that is only displayed must not fail.

    >>> integer_if_any("")
    """
    try:
        return integer_of(text, "")
    except PcpError:
        return None


def filled(text: str) -> Optional[str]:
    """Return a text, or None for an empty one."""
    return text or None


def shown(text: str) -> str:
    """Return a text from outside in the form for a message: quoted, escaped and shortened."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " ..."
    return ascii(cut)


def notice_of(payload: bytes) -> Notice:
    r"""Return the notice or error in a message of the letter N or E.

    Each field is a letter and a text, and an empty field ends the list, as in PostgreSQL's
    ErrorResponse.

    >>> notice_of(b"SLOG\0" b"Mrecovery done\0" b"\0").message
    'recovery done'
    """
    fields: Dict[str, str] = {}
    for text in strings_of(payload):
        if text:
            fields.setdefault(text[0], text[1:])
    if "M" not in fields:
        raise malformed("An error or a notice lacks its message.")
    return Notice(
        severity=fields.get("S", "ERROR"),
        sqlstate=_sqlstate(fields.get("C", INTERNAL)),
        message=fields["M"],
        detail=filled(fields.get("D", "")),
        hint=filled(fields.get("H", "")),
        file=filled(fields.get("F", "")),
        line=filled(fields.get("L", "")),
    )


def _sqlstate(text: str) -> str:
    """Return a SQLSTATE that can be raised, whatever was received."""
    return text if re.match(r"[0-9A-Z]{5}\Z", text) else INTERNAL
