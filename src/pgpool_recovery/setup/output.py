"""Write the scripts and the playbook where the operator typed the command, under sudo as well."""

import os
import pwd
from pathlib import Path

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.files.trust import ROOT, Untrusted, open_directory
from pgpool_recovery.files.write import write_file
from pgpool_recovery.setup.access import caller, run_as

WITHIN_S = 30.0
WRITE = """\
set -eu
umask 077
new=$(mktemp "$1.XXXXXXXXXX")
trap 'rm -f "$new"' EXIT
cat >"$new"
chmod "$2" "$new"
mv -fT "$new" "$1"
"""
"""For sh as the operator, with the contents on standard input: nobody else reads them meanwhile."""


def write_output(file: Path, contents: str, *, mode: int) -> None:
    """Write a private file: as root where only root can write, or else as the user of sudo.

    Root runs the scripts, so no third user may be able to replace them. Raises Refused if one could
    or if it cannot be written, and OSError.
    """
    path = file.absolute()
    operator = caller()
    if os.geteuid() != ROOT or operator is None or _is_only_of(path.parent, {ROOT}):
        _write_here(path, contents, mode)
        return
    try:
        os.close(open_directory(path.parent, {ROOT, pwd.getpwnam(operator).pw_uid}))
    except Untrusted as untrusted:
        raise _refusal(path, untrusted.why, operator) from untrusted
    argv = ("sh", "-c", WRITE, "sh", str(path), f"{mode:o}")
    ran = run_as(operator, argv, bytes_of(contents), within_s=WITHIN_S)
    if ran.status != 0:
        raise Refused(f"could not write {path} as {operator}", detail=ran.last_lines)


def _write_here(path: Path, contents: str, mode: int) -> None:
    try:
        write_file(path, contents, mode=mode)
    except Refused as refused:  # Another user could not read pgpool.conf, as its hint has it.
        raise _refusal(path, refused.detail or "", None) from refused


def _is_only_of(directory: Path, owners: set[int]) -> bool:
    try:
        os.close(open_directory(directory, owners))
    except Untrusted:
        return False
    return True


def _refusal(path: Path, why: str, operator: str | None) -> Refused:
    home = Path(pwd.getpwuid(ROOT).pw_dir if operator is None else pwd.getpwnam(operator).pw_dir)
    return Refused(
        f"root does not write {path}: others could redirect it",
        detail=f"{why.removesuffix('.')}.",
        hint=f"Write it to a directory where only root{_and(operator)} can write, as "
        f"{home / path.name}.",
    )


def _and(operator: str | None) -> str:
    return "" if operator is None else f" and {operator}"
