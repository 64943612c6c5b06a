"""Render needs as a script of sh for their host: the same text that setup itself carries out."""

import shlex
from collections.abc import Sequence
from functools import cache
from typing import Any

from pgpool_recovery.domain.text import one_line
from pgpool_recovery.files.text import text_of
from pgpool_recovery.postgres.session import startup_options
from pgpool_recovery.setup.need import Need, made

COPIED_TO = "/var/lib/pgpool-recovery-setup/packages"
"""Where setup puts package files on a host, in a directory that it removes afterwards."""
OWN_DIRECTORY = '"$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)"'
HERE = "END_OF_UNDO"
LAST = "05"
"""Records are undone from the highest number to the lowest; this one is lower than all others."""


@cache
def shell_text(name: str) -> str:
    """Return one of our files for sh; the loader also reads from a zip file."""
    loader: Any = __spec__.loader
    return text_of(loader.get_data(f"{__file__.rpartition('/')[0]}/sh/{name}.sh"))


def script(needs: Sequence[Need], packages: str = OWN_DIRECTORY) -> str:
    """Return a script that makes the needs of one host so; it can be run again.

    `packages` is the directory of the package files there, as a word of sh. A need for which an
    earlier one, of another host, must have been made is left out, with a comment that says so.
    """
    steps = "\n".join(_step(need) for need in needs)
    return f"#!/bin/sh\nPACKAGES={packages}\n{in_main(steps)}"


def in_main(commands: str) -> str:
    """Return commands with the functions that they use, in a function of their own.

    So sh has read all of them before the first one runs, and none of them can read the rest of the
    script from standard input.
    """
    return f"{session()}{shell_text('functions')}\nmain() {{\n{commands}\n}}\nmain </dev/null\n"


def session() -> str:
    """Return what every script begins with: psql's sessions have our settings, and `as_user`."""
    return f"export PGOPTIONS={shlex.quote(startup_options())}\n{shell_text('as_user')}"


def lacking(need: Need, makers: Sequence[str]) -> list[str]:
    """Return what a need waits for: the names of made values that are still in its commands."""
    return [name for name in makers if made(name) in "\n".join((*need.commands, *need.undo))]


def _step(need: Need) -> str:
    name = f"{need.name}.primary" if need.on_primary else need.name
    kept = _kept(name, need.undo) + _kept(
        f"{LAST}-{need.name.partition('-')[2]}.primary", need.undo_last
    )
    lines = "\n".join(need.commands)
    return (
        f"# {one_line(need.what)}\n# {one_line(need.why)}\n"
        f"if {need.test}; then\n    echo {need.name}: is there already\nelse\n"
        f"{kept}{lines}\n    echo {need.name}: done\nfi\n"
    )


def _kept(name: str, undo: Sequence[str]) -> str:
    if not undo:
        return ""
    lines = "\n".join(undo)
    return f"keep_undo {name} <<'{HERE}'\n{lines}\n{HERE}\n"
