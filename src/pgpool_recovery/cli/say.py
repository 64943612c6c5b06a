"""Where text leaves us: each argument is one line, whatever it holds (ci/rules/exits.py).

Here, and not only where foreign text comes in, because no new way in can be forgotten here. What is
JSON needs none of it: it has escapes of its own.
"""

import sys
from typing import TextIO

from pgpool_recovery.domain.text import one_line

RECORD_SEPARATOR = "\x1e"
"""By which the server knows a record of ours among the lines (extension/python)."""


def say(*lines: str) -> None:
    """Write lines that are to be read now."""
    _write("\n".join(map(one_line, lines)))


def say_json(document: str) -> None:
    """Write a document in JSON, which has only ASCII in it."""
    _write(document)


def say_record(secret: str, document: str) -> None:
    """Write a document in JSON for the server that called: on one line, and marked.

    By the secret, which it has given this call alone, the server knows that it is from us: lines
    that other hosts have written are passed on by us as well, and they do not know it. It is stored
    nowhere, and is not the id of the call, which others can read in the record of recoveries.
    """
    _write(f"{RECORD_SEPARATOR}{secret} {document}")


def say_to_log(secret: str, line: str) -> None:
    """Write a line that the server that called logs and tells nobody; marked as a record is."""
    _write(f"{RECORD_SEPARATOR}{secret} log {one_line(line)}")


def complain(*lines: str) -> None:
    """Write lines apart from the output, after what was said before."""
    sys.stdout.flush()
    _write("\n".join(map(one_line, lines)), sys.stderr)


def ask(question: str) -> None:
    """Write a question whose answer is awaited on the same line."""
    sys.stdout.flush()
    print(one_line(question), end=" ", file=sys.stderr, flush=True)


def _write(text: str, stream: TextIO | None = None) -> None:
    """Write lines as a whole, to standard output unless to another stream.

    What a thread logs meanwhile would come between a line and its end. Behind another line a record
    is none to the server, which would tell it to the client, the secret and all.
    """
    print(f"{text}\n", end="", file=stream, flush=True)
