"""Answers of Pgpool-II as bytes, built from the facts, without the client's own code."""

import struct

SALT = b"\x00\xff\x01N"
"""Four bytes that look like a NUL, invalid UTF-8, and the letter of a notice."""


def message(letter: str, payload: bytes = b"") -> bytes:
    return letter.encode() + struct.pack(">i", len(payload) + 4) + payload


def strings(*texts: object) -> bytes:
    return b"".join(str(text).encode() + b"\0" for text in texts)


def one(letter: str, *fields: object) -> bytes:
    """An answer of one message."""
    return message(letter, strings("CommandComplete", *fields))


def rows(letter: str, tag: str, *row_fields: tuple[object, ...]) -> bytes:
    """An answer of rows."""
    parts = [message(letter, strings("ArraySize", len(row_fields)))]
    parts += [message(letter, strings(tag, *fields)) for fields in row_fields]
    return b"".join([*parts, one(letter)])


def notice(letter: str = "N", **fields: str) -> bytes:
    return message(letter, strings(*(name + text for name, text in fields.items())) + b"\0")


def said(message_text: str, *, severity: str = "ERROR", detail: str | None = None) -> bytes:
    """An error with the fields of every one from Pgpool-II: severity, SQLSTATE, file and line."""
    middle = {} if detail is None else {"D": detail}
    fields = {"S": severity, "C": "XX000", "M": message_text, **middle, "F": "x.c", "L": "1"}
    return notice("E", **fields)


LOGIN = message("m", SALT) + message("r", strings("AuthenticationOK"))
"""Everything that a server sends until a client is logged in."""
