"""The stage commands as files of a data directory, where Pgpool-II's functions look for them."""

import os
import re
import shlex
import sys
from pathlib import Path

from pgpool_recovery import __version__
from pgpool_recovery.config.load import VARIABLE
from pgpool_recovery.domain.error import Refused, reason_of
from pgpool_recovery.files.text import read_bytes
from pgpool_recovery.files.trust import user_name
from pgpool_recovery.install.placed_file import INSTALL, OURS, PlacedFile

MODE = 0o700
CALL = re.compile(rb"^(?![ \t]*#).*pgpool-recovery(?![-\w./])", re.MULTILINE)
"""A line that is no comment and names our command, not a directory or a file of that name."""
PURPOSES = {
    "recovery_1st_stage": "bring the node that is recovered to where the primary is",
    "recovery_2nd_stage": "let the node, which follows by then, go on by itself",
    "pgpool_remote_start": "start the server of the recovered node",
    "pgpool_recovery_plan": "say what a recovery of a node would do",
    "pgpool_recovery_check": "say how each node would come back",
}


def stage_commands(
    data_directory: Path, settings_file: Path | None = None, verb: str = INSTALL
) -> list[PlacedFile]:
    """Return the files; Refused when this is no data directory, or not this user's.

    `settings_file`: the one that the commands shall read in place of the default. `verb`: what is
    done with them, for the command that does it as the right user.
    """
    try:
        # A link in the directory is its owner's word: it says nothing of whose the directory is.
        (data_directory / "PG_VERSION").lstat()
        owner = data_directory.stat().st_uid
    except PermissionError as error:
        raise Refused(
            f'"{user_name(os.geteuid())}" may not read data directory {data_directory}',
            hint="Run it as the owner of the directory.",
        ) from error
    except OSError as error:
        raise Refused(
            f"{data_directory} is not a data directory of this host",
            detail=f"Its PG_VERSION cannot be read: {reason_of(error)}.",
        ) from error
    if owner != os.geteuid():
        name = user_name(owner)
        words = [*own_command(), verb, "--data-directory", str(data_directory)]
        if settings_file is not None:
            words += ["--config", str(settings_file)]
        raise Refused(
            f"data directory {data_directory} belongs to {name}",
            hint=f"Run: {shlex.join(['runuser', '-u', name, '--', *words])}",
        )
    return [
        PlacedFile(data_directory / name, _script(name, purpose, settings_file), MODE)
        for name, purpose in PURPOSES.items()
    ]


def is_ours(script: Path) -> bool:
    """Say whether a script is a stage command of ours, or calls one, as a wrapper does.

    None of ours is unreadable, or longer than what is read.
    """
    try:
        contents = read_bytes(script)
    except OSError:
        return False
    return OURS in contents or CALL.search(contents) is not None


def _script(name: str, purpose: str, settings_file: Path | None) -> bytes:
    setting = "" if settings_file is None else f"{VARIABLE}={shlex.quote(str(settings_file))} "
    command = " ".join(shlex.quote(word) for word in own_command())
    return (
        "#!/bin/sh\n"
        f"# {OURS.decode()} Version {__version__}. It is called to {purpose}.\n"
        f'{setting}exec {command} {name} "$@"\n'
    ).encode()


def own_command() -> list[str]:
    """Return the words that start this command again, from anywhere and with any environment."""
    script = Path(sys.executable).with_name("pgpool-recovery")
    if os.access(script, os.X_OK):
        return [str(script)]
    return [sys.executable, "-I", "-m", "pgpool_recovery"]
