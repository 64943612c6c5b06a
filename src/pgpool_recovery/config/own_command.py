"""How to start this command again: from a distribution's package, one file, a venv."""

import os
import sys
from pathlib import Path

import pgpool_recovery
from pgpool_recovery.files.text import read_text

NAME = "pgpool-recovery"
LAUNCHER = "pgpool-recovery.launcher"
"""A file beside our package that names the program that starts it; a distribution's package has it.

Without it, a program in the directory of the interpreter would say nothing: /usr/bin/python3 may
run a copy of ours from elsewhere while the distribution's package has /usr/bin/pgpool-recovery.
"""

SEARCHED = Path("/usr/bin")
"""Where the script at the beginning of the one file looks for an interpreter."""


def own_command() -> list[str]:
    """Return the words that start this command again, in any directory and environment."""
    archive = own_archive()
    if archive is not None:
        is_found = os.access(archive, os.X_OK) and Path(sys.executable).parent == SEARCHED
        return [archive] if is_found else own_process()
    launcher = _launcher()
    if launcher is not None:
        return [launcher]
    script = Path(sys.executable).with_name(NAME)
    if sys.prefix != sys.base_prefix and os.access(script, os.X_OK):
        return [str(script)]  # Of this venv.
    return _module()


def own_process() -> list[str]:
    """Return the words that start this command as our child, without the environment's Python."""
    archive = own_archive()
    if archive is not None:
        return [sys.executable, "-ISB", "-X", "utf8", archive]
    launcher = _launcher()
    return _module() if launcher is None else [launcher]


def own_archive() -> str | None:
    """Return the path of the zip file that has this program, if it is run from one."""
    archive = getattr(__spec__.loader, "archive", None)  # of a zipimport.zipimporter
    return None if archive is None else os.path.abspath(archive)  # noqa: PTH100 - links stay links


def _module() -> list[str]:
    return [sys.executable, "-I", "-m", "pgpool_recovery"]


def _launcher() -> str | None:
    file = Path(pgpool_recovery.__file__).parent.with_name(LAUNCHER)
    try:
        return read_text(file).strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
