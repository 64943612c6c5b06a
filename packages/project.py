"""What every format says about the project, and when this version was made."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAME = "pgpool-recovery"
RELEASE = "1"
"""The release of the packages of one version, as distributions count it."""
MAINTAINER = os.environ.get(
    "PACKAGER", "pgpool-recovery developers <maintainers@pgpool-recovery.invalid>"
)
"""Whoever publishes packages gives an address that is read, in the environment."""
LICENSE = "PostgreSQL"
MAJORS = range(14, 20)
"""The PostgreSQL majors that get a package with the extensions."""
SUMMARY = "online recovery of PostgreSQL nodes behind Pgpool-II"
DESCRIPTION = """\
Brings a failed or outdated node of a Pgpool-II cluster back with the method that moves the least:
attach, repoint, catch-up, rewind, incremental, restore or basebackup. It is called by
pcp_recovery_node, like the stock recovery scripts, or by its own command, and reports the real
cause when a recovery fails."""
EXTENSION_SUMMARY = "extensions pgpool_recovery, pgpool_adm and pgpool_regclass for PostgreSQL {}"
EXTENSION_DESCRIPTION = """\
The functions that Pgpool-II calls for online recovery, in PL/Python, without a compiled library.
They take the place of the stock extensions, which come back when this package is removed."""


def version(wheels: Path) -> str:
    """Return the version of our wheel among these; raise FileNotFoundError if there is none."""
    for wheel in wheels.glob("pgpool_recovery-*.whl"):
        return wheel.name.split("-")[1]
    raise FileNotFoundError(f"there is no wheel of {NAME} in {wheels}: run make wheel")


def source_date() -> int:
    """Return SOURCE_DATE_EPOCH, by default the time of the commit (Unix); see reproducible-builds.

    A source tree without git has the time of its changelog.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        return int(given)
    done = subprocess.run(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, check=False
    )
    if re.fullmatch(rb"\d+\n", done.stdout):
        return int(done.stdout)
    return int((ROOT / "CHANGELOG.md").stat().st_mtime)
