"""Ansible and our collection, where every host sees them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from packages import collection
from tests.harness.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = Path(".build", "ansible")
INSTALL_WITHIN_S = 300


def install_ansible(workspace: Workspace) -> Path:
    """Return a copy of the locked environment; its Python is the system's."""
    subprocess.run(["make", "-s", ENVIRONMENT / "installed"], cwd=REPOSITORY, check=True)
    place = workspace.directory / "ansible"
    shutil.copytree(REPOSITORY / ENVIRONMENT, place, symlinks=True)
    return place


def ansible(place: Path, program: str, *words: str) -> list[str]:
    """Return the call of a program of a copy, whose own scripts name the original."""
    return [str(place / "bin" / "python"), "-m", "ansible", program, *words]


def run_ansible(place: Path, program: str, *words: str) -> str:
    """Run a program on this machine, and return what it prints."""
    return subprocess.run(
        ansible(place, program, *words),
        env={**os.environ, "HOME": str(place), "ANSIBLE_HOME": str(place / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=INSTALL_WITHIN_S,
    ).stdout


def install_collection(workspace: Workspace, place: Path) -> Path:
    """Return a path for collections with ours, installed from the file of a release."""
    into = workspace.make("collections")
    archive = collection.build(into, into)
    install: Sequence[str] = ("collection", "install", str(archive), "-p", str(into), "--offline")
    run_ansible(place, "galaxy", *install)
    return into
