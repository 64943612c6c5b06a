"""Parse and format libpq connection strings."""

import re
from collections.abc import Mapping

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import bytes_of, text_of
from pgpool_recovery.plan.inherited import INHERITED

SPECIAL, BLANK = re.compile(r"([\\'])"), re.compile(r"\s")
UNKNOWN_WORD = re.compile(r'invalid connection option "(\w*)"')
PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)", re.DOTALL)
NEWER_DEFAULTS = {
    "gssdelegation": "0",
    "load_balance_hosts": "disable",
    "sslcertmode": "allow",
    "sslnegotiation": "postgres",
}
"""Keywords of libpq 16 and 17, with the values that mean what an older libpq does.

pg_basebackup -R of these releases always writes them. On a host whose PostgreSQL brings a libpq of
its own, other programs, such as ours, may get an older one.
"""


def parse_conninfo(text: str) -> dict[str, str]:
    """Return the keywords and values of a connection string; raise Refused when it is invalid.

    What a newer libpq has written, and means the same without, is left out if this libpq does not
    know it. libpq's message is not passed on: it may quote a part of the string, which may be the
    password.
    """
    from psycopg import OperationalError, pq

    try:
        found = pq.Conninfo.parse(bytes_of(text))
        return {text_of(one.keyword): text_of(one.val) for one in found if one.val is not None}
    except OperationalError as error:
        unknown = UNKNOWN_WORD.search(str(error))
        word = unknown[1] if unknown else ""
    shorter = without_default(text, word)
    if shorter is not None:
        return parse_conninfo(shorter)
    # Without the cause, which a traceback would show.
    raise Refused("a connection string cannot be read", detail=_what_is_wrong(word))


def without_default(text: str, word: str) -> str | None:
    """Return a connection string without a newer keyword; None if that could mean something else.

    >>> without_default("host=a sslcertmode=allow options='sslcertmode=allow'", "sslcertmode")
    "host=a options='sslcertmode=allow'"
    >>> without_default("host=a sslcertmode=disable", "sslcertmode")
    """
    pairs = list(PAIR.finditer(text))
    left = [pair[0] for pair in pairs if (pair[1], pair[2]) != (word, NEWER_DEFAULTS.get(word))]
    is_understood = "".join(pair[0] for pair in pairs) == text.rstrip()
    return "".join(left) if is_understood and len(left) < len(pairs) else None


def _what_is_wrong(unknown: str) -> str:
    if unknown in INHERITED or unknown in NEWER_DEFAULTS:
        return f"The libpq of this host does not know {unknown}."
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
