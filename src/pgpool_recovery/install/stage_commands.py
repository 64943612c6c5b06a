"""Make the stage commands that Pgpool-II's functions call in a data directory."""

import os
import re
import shlex
from pathlib import Path

from pgpool_recovery import __version__
from pgpool_recovery.config.load import VARIABLE
from pgpool_recovery.config.own_command import own_command
from pgpool_recovery.domain.error import Refused, reason_of
from pgpool_recovery.files.text import read_bytes
from pgpool_recovery.files.trust import user_name
from pgpool_recovery.install.placed_file import INSTALL, OURS, PlacedFile

MODE = 0o700
CALL = re.compile(rb"^(?![ \t]*#).*pgpool-recovery(\.pyz)?(?![-\w./])", re.MULTILINE)
"""A line, not a comment, with our command, not with a directory or file whose name begins so."""
WORDS = rb"[^\n;&|<>$`]+"
"""Words of one command: no end of a command, no redirection, nothing that a shell replaces."""
PURPOSES = {
    "recovery_1st_stage": "bring the data directory of the recovered node up to date",
    "recovery_2nd_stage": "make the recovered node, a standby until then, independent",
    "pgpool_remote_start": "start the server of the recovered node",
    "pgpool_recovery_plan": "show what a recovery of a node would do",
    "pgpool_recovery_check": "show how each node would be recovered",
}


def stage_commands(
    data_directory: Path, settings_file: Path | None = None, verb: str = INSTALL
) -> list[PlacedFile]:
    """Return the files; raise Refused when this is not a data directory, or not this user's.

    `settings_file` is what the commands will read instead of the default. `verb` is the subcommand
    that handles the files, for the hint how to run it as the right user.
    """
    try:
        # PG_VERSION may be a link, which only the directory's owner can make, so do not follow it.
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
    """Return whether a script is one of our stage commands, or a wrapper that calls one.

    A file that is unreadable, or longer than we read, is not.
    """
    try:
        contents = read_bytes(script)
    except OSError:
        return False
    return OURS in contents or CALL.search(contents) is not None


def is_unchanged(script: Path, name: str) -> bool:
    """Return whether a script is the stage command `name` as we install it, and nothing else.

    Of any version, with any settings file, and executable by this user.
    """
    try:
        contents = read_bytes(script)
    except OSError:
        return False
    text = b'#!/bin/sh\n# %s[^\n]*\n(%s=%s )?exec %s %s "[$]@"\n' % (
        re.escape(OURS),
        VARIABLE.encode(),
        WORDS,
        WORDS,
        name.encode(),
    )
    return re.fullmatch(text, contents) is not None and os.access(script, os.X_OK)


def _script(name: str, purpose: str, settings_file: Path | None) -> bytes:
    setting = "" if settings_file is None else f"{VARIABLE}={shlex.quote(str(settings_file))} "
    command = " ".join(shlex.quote(word) for word in own_command())
    return (
        "#!/bin/sh\n"
        f"# {OURS.decode()} Version {__version__}. It is called to {purpose}.\n"
        f'{setting}exec {command} {name} "$@"\n'
    ).encode()
