"""Parse and format libpq connection strings."""

import re
from collections.abc import Mapping

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import bytes_of, text_of
from pgpool_recovery.plan.inherited import INHERITED

SPECIAL, BLANK = re.compile(r"([\\'])"), re.compile(r"\s")
UNKNOWN_WORD = re.compile(r'invalid connection option "(\w*)"')


def parse_conninfo(text: str) -> dict[str, str]:
    """Return the keywords and values of a connection string; raise Refused when it is invalid.

    libpq's message is not passed on: it may quote a part of the string, which may be the password.
    """
    from psycopg import OperationalError, pq

    try:
        found = pq.Conninfo.parse(bytes_of(text))
        return {text_of(one.keyword): text_of(one.val) for one in found if one.val is not None}
    except OperationalError as error:
        detail = _what_is_wrong(str(error))
        # Without the cause, which a traceback would show.
        raise Refused("a connection string cannot be read", detail=detail) from None


def _what_is_wrong(said: str) -> str:
    match = UNKNOWN_WORD.search(said)
    if match and match[1] in INHERITED:
        return f"The libpq of this host does not know {match[1]}."
    return "libpq's message is not shown, since it quotes a part that may be the password."


def format_conninfo(values: Mapping[str, str]) -> str:
    """Return a connection string of keywords and values, quoted where necessary.

    Raises Refused when the libpq of this host cannot parse it. An empty require_auth is left out:
    that means the same, and an older libpq would refuse the keyword.

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
