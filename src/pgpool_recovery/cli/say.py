"""Write all output; each argument becomes one line, whatever it contains (ci/rules/exits.py).

Text is cleaned here, and not only where foreign text comes in, because a new way in could be
forgotten. JSON does not need it, since it escapes control characters itself.
"""

import sys
from typing import TextIO

from pgpool_recovery.domain.text import one_line

RECORD_SEPARATOR = "\x1e"
"""Marks a record of ours among the lines that the server reads (extension/python)."""


def say(*lines: str) -> None:
    """Write lines to standard output and flush it."""
    _write("\n".join(map(one_line, lines)))


def say_json(document: str) -> None:
    """Write a JSON document, which must be ASCII only."""
    _write(document)


def say_record(secret: str, document: str) -> None:
    """Write a JSON document for the server that called us, on one marked line.

    The secret, which the server gives to this call only, proves that the line is ours: we also
    pass on lines from other hosts, which do not know the secret. It is not stored anywhere, and it
    differs from the id of the call, which others can read in the record of recoveries.
    """
    _write(f"{RECORD_SEPARATOR}{secret} {document}")


def say_to_log(secret: str, line: str) -> None:
    """Write a line for the log of the server that called us, not for its client; marked, too."""
    _write(f"{RECORD_SEPARATOR}{secret} log {one_line(line)}")


def complain(*lines: str) -> None:
    """Write lines to standard error, after flushing standard output to keep the order."""
    sys.stdout.flush()
    _write("\n".join(map(one_line, lines)), sys.stderr)


def ask(question: str) -> None:
    """Write a question to standard error; the answer is typed on the same line."""
    sys.stdout.flush()
    print(one_line(question), end=" ", file=sys.stderr, flush=True)


def _write(text: str, stream: TextIO | None = None) -> None:
    """Write text in one piece, to standard output unless another stream is given.

    Otherwise a line that another thread logs could come between this text and its newline. A record
    that does not start a line is no record to the server, which would show it to the client,
    including the secret.
    """
    print(f"{text}\n", end="", file=stream, flush=True)
