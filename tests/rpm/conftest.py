"""Packages of this checkout, built once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from packages.contents import LIBRARY
from packages.project import ROOT
from packages.rpm import STOCK, assemble, command, extension
from packages.tree import merged, text
from tests.rpm.scratch import ScratchRoot, python_package, scratch_root, stock_package

MAJOR = 15
DIRECTORY = f"/usr/pgsql-{MAJOR}/share/extension"
STOCK_NAME = STOCK.format(MAJOR)
GONE = f"{LIBRARY}/pgpool_recovery/gone"
"""A part that only the first release has."""
WHEN = 1_700_000_000


@dataclass(frozen=True)
class Packages:
    """The packages, all in one directory: ours in two releases, and made-up ones of others."""

    directory: Path
    command: tuple[Path, Path]
    extension: tuple[Path, Path]
    stock: tuple[Path, Path]
    python: Path


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with our wheel; what the others hold is of no importance to a scriptlet."""
    directory = tmp_path_factory.mktemp("wheels")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return directory


@pytest.fixture(scope="session")
def packages(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """All packages that the tests install."""
    if os.geteuid() != 0:
        pytest.skip("rpm needs root for a scratch root")
    into = tmp_path_factory.mktemp("rpms")
    old = command(wheels)
    old = replace(old, tree=merged(old.tree, {f"{GONE}/__init__.py": text("")}))
    first = assemble([old, extension(wheels, MAJOR, "2.0.0-1")], "2.0.0-1", WHEN, into)
    second = assemble(
        [command(wheels), extension(wheels, MAJOR, "2.0.0-2")], "2.0.0-2", WHEN + 60, into
    )
    return Packages(
        directory=into,
        command=(first[0], second[0]),
        extension=(first[1], second[1]),
        stock=(
            stock_package(STOCK_NAME, "1.3", DIRECTORY, into),
            stock_package(STOCK_NAME, "1.4", DIRECTORY, into),
        ),
        python=python_package(os.path.realpath("/usr/bin/python3"), into),
    )


@pytest.fixture
def scratch(packages: Packages) -> Iterator[ScratchRoot]:
    """An empty root."""
    with scratch_root(packages.directory) as made:
        yield made
