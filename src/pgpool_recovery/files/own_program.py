"""Determine how this program was installed, so that it can be started again."""

import os
import sys
from pathlib import Path

NAME = "pgpool-recovery"
SEARCHED = Path("/usr/bin")
"""Where the script at the beginning of an archive looks for an interpreter."""


def own_command() -> list[str]:
    """Return the words that start this command again, in any directory and environment."""
    archive = own_archive()
    if archive is not None:
        is_found = os.access(archive, os.X_OK) and Path(sys.executable).parent == SEARCHED
        return [archive] if is_found else own_process()
    script = Path(sys.executable).with_name(NAME)
    if os.access(script, os.X_OK):
        return [str(script)]
    return own_process()


def own_process() -> list[str]:
    """Return the words that start it again with the interpreter that runs it now.

    That is for children of this process, which save the search for an interpreter.
    """
    archive = own_archive()
    if archive is None:
        return [sys.executable, "-I", "-m", "pgpool_recovery"]
    return [sys.executable, "-ISB", "-X", "utf8", archive]


def own_archive() -> str | None:
    """Return the path of the zip file that contains this program, if it runs from one."""
    archive = getattr(__spec__.loader, "archive", None)  # of a zipimport.zipimporter
    return None if archive is None else os.path.abspath(archive)  # noqa: PTH100 - no link is followed
