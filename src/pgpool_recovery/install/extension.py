"""Find the PostgreSQL installations of this host, and the extension's files for each."""

import os
import re
import subprocess
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from pgpool_recovery.domain.error import Refused, reason_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import text_of
from pgpool_recovery.files.trust import ROOT, Untrusted, check_file, user_name
from pgpool_recovery.install.placed_file import PlacedFile

PATTERNS = ("lib/postgresql/*/bin/pg_config", "pgsql-*/bin/pg_config", "bin/pg_config")
"""Debian and Ubuntu; on Enterprise Linux, PostgreSQL's packages and those of the distribution."""
OLDEST_MAJOR = 14
ANSWER_S = 60.0
MODE = 0o644


@record
class Installation:
    """A PostgreSQL installation, as its pg_config describes it."""

    pg_config: Path
    major: int
    share_directory: Path
    library_directory: Path

    @property
    def has_python(self) -> bool:
        """Whether PL/Python is installed."""
        return (self.library_directory / "plpython3.so").exists()

    @property
    def python_packages(self) -> str:
        """The names of the packages with PL/Python."""
        return (
            f"postgresql-plpython3-{self.major} (Debian, Ubuntu) or "
            f"postgresql{self.major}-plpython3 (Enterprise Linux)"
        )


def find_installations(named: Iterable[Path], below: Path = Path("/usr")) -> list[Installation]:
    """Return the installations of the named pg_config programs, or else all with a server.

    Raises Refused when one of the programs cannot be run, or is not a pg_config.
    """
    paths = list(named)
    if paths:
        return [_describe(path) for path in paths]
    found = sorted(path for pattern in PATTERNS for path in below.glob(pattern))
    servers = [path for path in found if path.with_name("postgres").exists()]
    return [made for made in map(_describe, servers) if made.major >= OLDEST_MAJOR]


def extension_files(installation: Installation) -> list[PlacedFile]:
    """Return the extension's files with their paths in this installation."""
    directory = installation.share_directory / "extension"
    return [
        PlacedFile(directory / file.name, file.read_bytes(), MODE)
        for file in sorted(
            (files("pgpool_recovery") / "extension").iterdir(), key=lambda file: file.name
        )
        if file.name.endswith((".sql", ".control"))
    ]


def _describe(pg_config: Path) -> Installation:
    version = _ask(pg_config, "--version")
    match = re.match(r"PostgreSQL (\d+)", version)
    if match is None:
        raise Refused(f"{pg_config} is not a pg_config", detail=f'It printed "{version}".')
    return Installation(
        pg_config=pg_config,
        major=int(match[1]),
        share_directory=Path(_ask(pg_config, "--sharedir")),
        library_directory=Path(_ask(pg_config, "--pkglibdir")),
    )


def _ask(pg_config: Path, option: str) -> str:
    try:
        if os.geteuid() == ROOT:
            check_file(pg_config, {ROOT})
        done = subprocess.run(
            [pg_config, option], capture_output=True, check=True, timeout=ANSWER_S
        )
    except Untrusted as untrusted:
        raise Refused(
            f"root does not run {pg_config}: others could put another program there",
            detail=f"{untrusted.why}.",
            hint=f"Run it as {user_name(untrusted.owner)}, if the server's files are that user's.",
        ) from untrusted
    except OSError as error:
        raise Refused(
            f"could not run {pg_config}: {reason_of(error)}",
            hint="Name the pg_config of the server.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Refused(
            f"{pg_config} {option} gave no answer within {ANSWER_S:g} s",
            hint="Name the pg_config of the server.",
        ) from error
    except subprocess.CalledProcessError as error:
        raise Refused(
            f"{pg_config} {option} ended with exit status {error.returncode}",
            detail=text_of(error.stderr).strip() or None,
            hint="Name the pg_config of the server.",
        ) from error
    return text_of(done.stdout).strip()
