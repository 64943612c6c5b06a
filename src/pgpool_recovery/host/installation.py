"""Find the programs of a PostgreSQL major version on this host."""

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop

PROGRAMS = (
    "postgres",
    "pg_ctl",
    "pg_controldata",
    "pg_receivewal",
    "pg_waldump",
)
USUAL_DIRECTORIES = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin")


def find_bin_directory(major: int, preferred: Iterable[str], stop: Stop) -> str | None:
    """Return the first directory that has all programs of this major version.

    The search covers `preferred`, the directories of the Debian and Enterprise Linux packages, and
    PATH, in that order. None when no directory has them.
    """
    usual = [pattern.format(major=major) for pattern in USUAL_DIRECTORIES]
    on_path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for directory in dict.fromkeys([*preferred, *usual, *on_path]):
        if _has_all(Path(directory)) and _major_of(Path(directory), stop) == major:
            return directory
    return None


def _has_all(directory: Path) -> bool:
    return all(os.access(directory / name, os.X_OK) for name in PROGRAMS)


def _major_of(directory: Path, stop: Stop) -> int | None:
    program = directory / "postgres"
    try:
        status = program.stat()
        said = _version_of(program, (status.st_ino, status.st_mtime_ns), stop)
    except (RecoveryError, OSError):
        return None  # A broken installation, whose programs do not run, is as good as none.
    return parse_major(said)


@cache
def _version_of(program: Path, _file: tuple[int, int], stop: Stop) -> str:
    """Return what a program prints as its version; one that was replaced is run again."""
    return run([str(program), "--version"], stop).check().output


def parse_major(said: str) -> int | None:
    """Return the major version in the output of `postgres --version`.

    >>> parse_major("postgres (PostgreSQL) 19rc1 (Debian 19~rc1-1)")
    19
    """
    match = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(match[1]) if match else None
