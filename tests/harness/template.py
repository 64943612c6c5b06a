"""Data directories as initdb leaves them, made once and then copied."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from .installation import Installation
from .machine import Machine
from .workspace import Workspace

SUPERUSER = "postgres"
REPLICATION_USER = "repl"
PASSWORDS = {SUPERUSER: "superuser-secret", REPLICATION_USER: "standby-secret"}

# In single-user mode each line is a statement.
_ROLES = f"""\
ALTER ROLE {SUPERUSER} PASSWORD '{PASSWORDS[SUPERUSER]}';
CREATE ROLE {REPLICATION_USER} LOGIN REPLICATION PASSWORD '{PASSWORDS[REPLICATION_USER]}';
"""


def template_data_directory(
    workspace: Workspace, machine: Machine, installation: Installation, options: Sequence[str]
) -> Path:
    """Return a data directory in the workspace to copy, made by `machine` when it is not there.

    Copies share one system identifier, which is right for nodes of one cluster only.
    """
    recipe = repr((machine.system.name, str(installation.bindir), tuple(options)))
    name = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    template = workspace.make("templates") / name
    if not template.exists():
        unfinished = template.with_name(template.name + ".new")
        initialise(machine, installation, unfinished, options)
        unfinished.rename(template)
    return template


def initialise(
    machine: Machine, installation: Installation, data_directory: Path, options: Sequence[str]
) -> None:
    """Run initdb, and make the roles while no server runs."""
    usual = ["-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    machine.make_directory(data_directory, mode=0o700)
    machine.run([installation.program("initdb"), "-D", data_directory, *usual, *options])
    postgres, single_user = installation.program("postgres"), ["--single", "-c", "fsync=off"]
    machine.run([postgres, *single_user, "-D", data_directory, "postgres"], stdin=_ROLES)
