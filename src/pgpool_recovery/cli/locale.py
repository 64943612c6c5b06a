"""Text is UTF-8 in every locale, with bytes that are none kept (PEP 540), also in file names."""

import io
import os
import sys
from collections.abc import Sequence

ASCII_ALONE = frozenset({"ascii", "ansi_x3.4-1968", "us-ascii", "646"})
"""What the C locale calls its own; a terminal there may know UTF-8 as well."""


def run_in_utf8(argv: Sequence[str]) -> None:
    """Start this program again in UTF-8 mode, if the locale has Python take text for another.

    A server hands the locale of its database down to a stage command. In one of Latin-1 the name of
    a file would be another than the one that a file or a query has in it, and a line with a
    character that Latin-1 lacks could not be written. The agent's locale may come with ssh from the
    runner (SendEnv): both ends have to take bytes for the same characters.
    """
    if sys.getfilesystemencoding() == "utf-8" or sys.flags.utf8_mode or not sys.executable:
        return
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *argv[1:]])  # noqa: S606 - ourselves


def write_as_the_terminal_reads() -> None:
    """Let people read what is written in the encoding of their locale, as far as it goes."""
    # By the environment, which UTF-8 mode leaves as it is; importing it takes time.
    from locale import getencoding

    encoding = getencoding().lower()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if encoding in ASCII_ALONE:
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding=encoding, errors="backslashreplace")
