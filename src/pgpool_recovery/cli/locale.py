"""Make text UTF-8 in every locale, also in file names; other bytes are preserved (PEP 540)."""

import io
import os
import sys
from collections.abc import Sequence

ASCII_ALONE = frozenset({"ascii", "ansi_x3.4-1968", "us-ascii", "646"})
"""Names of the C locale's encoding; a terminal in that locale may still understand UTF-8."""


def run_in_utf8(argv: Sequence[str]) -> None:
    """Restart this program in UTF-8 mode, if the locale makes Python use another encoding.

    A stage command inherits the locale of the server's database. If that is Latin-1, a file name
    would decode differently from the same name in a file or a query result, and a line with a
    character that Latin-1 lacks could not be written. The agent may inherit the runner's locale
    through ssh (SendEnv); both ends must decode bytes to the same characters.
    """
    if sys.getfilesystemencoding() == "utf-8" or sys.flags.utf8_mode or not sys.executable:
        return
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *argv[1:]])  # noqa: S606 - ourselves


def write_as_the_terminal_reads() -> None:
    """Write output in the encoding of the person's locale, and escape what it cannot represent."""
    # From the environment, which UTF-8 mode does not change. Imported here because it is slow.
    from locale import getencoding

    encoding = getencoding().lower()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if encoding in ASCII_ALONE:
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding=encoding, errors="backslashreplace")
