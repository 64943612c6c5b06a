"""Connection strings of libpq as keywords and values."""

import re
from collections.abc import Mapping

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import bytes_of, text_of
from pgpool_recovery.plan.inherited import INHERITED

SPECIAL, BLANK = re.compile(r"([\\'])"), re.compile(r"\s")
UNKNOWN_WORD = re.compile(r'invalid connection option "(\w*)"')


def parse_conninfo(text: str) -> dict[str, str]:
    """Return the keywords and values of a connection string; Refused when libpq cannot read it.

    What libpq says then may quote a piece of the text, and that piece may be the password.
    """
    from psycopg import OperationalError, pq

    try:
        found = pq.Conninfo.parse(bytes_of(text))
        return {text_of(one.keyword): text_of(one.val) for one in found if one.val is not None}
    except OperationalError as error:
        detail = _what_is_wrong(str(error))
        # Not with the cause, for a traceback would show it.
        raise Refused("a connection string cannot be read", detail=detail) from None


def _what_is_wrong(said: str) -> str:
    match = UNKNOWN_WORD.search(said)
    if match and match[1] in INHERITED:
        return f"The libpq of this host does not know {match[1]}."
    return "libpq says where, but with a piece of it, which may be a piece of the password."


def format_conninfo(values: Mapping[str, str]) -> str:
    """Return a connection string of keywords and values, each quoted where it has to be.

    Refused when the libpq of this host cannot read it. An empty require_auth is left out, which
    means the same and which an older libpq understands.

    >>> format_conninfo({"host": "server 1", "port": "5432"})
    "host='server 1' port=5432"
    """
    said = {name: text for name, text in values.items() if text or name != "require_auth"}
    text = " ".join(f"{name}={_quoted(value)}" for name, value in said.items())
    parse_conninfo(text)
    return text


def _quoted(value: str) -> str:
    text = SPECIAL.sub(r"\\\1", value)
    return text if text and BLANK.search(text) is None else f"'{text}'"


def libpq_version() -> int:
    """Return the version of the libpq of this process, such as 150007."""
    from psycopg import pq

    return pq.version()
