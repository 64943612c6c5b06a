"""What stands in a message: strings that end with a NUL, and numbers written as decimals."""

import math
import re
from typing import Dict, List, Optional

from .pcp_error import INTERNAL, Notice, PcpError, malformed

MAX_DIGITS = 19
SHOWN_CHARACTERS = 40


def strings_of(payload: bytes) -> List[str]:
    r"""Return the strings of a message.

    What is not UTF-8 is replaced: names have the encoding of their database, and Pgpool-II cuts
    its messages at 255 bytes, within a character if need be.

    >>> strings_of(b"CommandComplete\0" b"2\0")
    ['CommandComplete', '2']
    """
    if not payload.endswith(b"\0"):
        raise malformed("A message of %d bytes does not end with a NUL." % len(payload))
    return payload[:-1].decode("utf-8", "replace").split("\0")


def integer_of(text: str, name: str) -> int:
    """Return a number; `name` is what a failure calls it.

    >>> integer_of("-1", "the quorum")
    -1
    """
    if not re.match(r"-?[0-9]{1,%d}\Z" % MAX_DIGITS, text):
        raise malformed('The field "%s" is %s, which is no number.' % (name, shown(text)))
    return int(text)


def real_of(text: str) -> Optional[float]:
    """Return a number with a fraction, as Pgpool-II writes it with %f or %lf, or None.

    None is what is no number, and also one that cannot be: Pgpool-II divides each weight by their
    sum, which is 0 where pgpool.conf sets none, and sends what the C library writes for that. It is
    only shown.

    >>> real_of("-nan") is None
    True
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def integer_if_any(text: str) -> Optional[int]:
    """Return a number, None where there is none: what is only shown fails nobody.

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
    """Return a text from outside as a failure may show it: quoted, escaped, and not long."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " ..."
    return ascii(cut)


def notice_of(payload: bytes) -> Notice:
    r"""Return the notice or error in a message of the letter N or E.

    Its fields are a letter and a text each, and an empty one ends them, as in PostgreSQL's
    ErrorResponse.

    >>> notice_of(b"SLOG\0" b"Mrecovery done\0" b"\0").message
    'recovery done'
    """
    fields: Dict[str, str] = {}
    for text in strings_of(payload):
        if text:
            fields.setdefault(text[0], text[1:])
    if "M" not in fields:
        raise malformed("An error or a notice has no message.")
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
    """Return a SQLSTATE that can be raised, whatever came."""
    return text if re.match(r"[0-9A-Z]{5}\Z", text) else INTERNAL
