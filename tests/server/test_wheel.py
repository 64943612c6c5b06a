"""The documented installation works word for word: build a wheel once, install it by its hash."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pgpool_recovery import __version__
from tests.harness.workspace import Workspace

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "how-to" / "install.md"
PYTHON = "/usr/bin/python3"
VENV = "/opt/pgpool-recovery"
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull}
"""Where nothing can be had: what is installed on a host has to come from the directory."""
LEFT_OUT = (".venv", ".build", "dist", ".git", "__pycache__", ".*_cache")


def documented(page: Path) -> list[str]:
    """Return the commands of a page that build the wheel and install it, in their order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line.partition("   #")[0].strip() for block in blocks for line in block.splitlines()]
    begins = ("make wheel", f"sudo {PYTHON} -m venv {VENV}", f"sudo {VENV}/bin/pip ")
    return [line for line in lines if line.startswith(begins)]


@pytest.fixture(scope="module")
def checkout(workspace: Workspace) -> Iterator[Path]:
    """A copy of this checkout, with uncommitted changes."""
    copy = workspace.make_new("checkout-") / "pgpool-recovery"
    shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    yield copy
    shutil.rmtree(copy)


def test_documented_commands_install_what_is_locked(workspace: Workspace, checkout: Path) -> None:
    make, *on_each_host = documented(PAGE)
    assert len(on_each_host) == 2
    run(make, checkout)
    host = workspace.make_new("host-")
    shutil.move(checkout / "dist" / "wheels", host / "wheels")
    venv = host / "pgpool-recovery"
    for command in on_each_host:
        run(command.removeprefix("sudo ").replace(VENV, str(venv)), host, NO_INDEX)
    assert run(f"{venv}/bin/pgpool-recovery --version", host) == f"{__version__}\n"
    listed = run(f"{venv}/bin/pip list --format=freeze", host).split()
    lines = re.findall(r"^[\w-]+==[^\\\n]+", lock_file(), re.MULTILINE)
    needed = (each for each in map(Requirement, lines) if not each.marker or each.marker.evaluate())
    locked = [f"{each.name}{each.specifier}" for each in needed]
    assert len(locked) >= 5
    wanted = {*locked, f"pgpool-recovery=={__version__}"}
    assert set(map(normalized, listed)) >= wanted
    others = {line.partition("==")[0] for line in map(normalized, listed) if line not in wanted}
    assert others <= {"pip", "setuptools"}


def normalized(line: str) -> str:
    """Return a line of `pip list` with its package name in the form of a lock file."""
    name, _, version = line.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def test_wheel_that_was_changed_on_its_way_is_not_installed(
    workspace: Workspace, checkout: Path
) -> None:
    make, venv, install = documented(PAGE)
    run(make, checkout)
    host = workspace.make_new("host-")
    shutil.move(checkout / "dist" / "wheels", host / "wheels")
    [ours] = (host / "wheels").glob("pgpool_recovery-*.whl")
    ours.write_bytes(ours.read_bytes() + b" ")
    at = str(host / "pgpool-recovery")
    run(venv.removeprefix("sudo ").replace(VENV, at), host, NO_INDEX)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(install.removeprefix("sudo ").replace(VENV, at), host, NO_INDEX)
    assert "DO NOT MATCH THE HASHES" in caught.value.stderr


def lock_file() -> str:
    return (REPOSITORY / "requirements" / "runtime.txt").read_text().replace("\\", "")


def run(command: str, directory: Path, environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        shlex.split(command),
        cwd=directory,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout
