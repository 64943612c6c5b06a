"""The packages of this checkout and of a later build, made once for all processes of a test run."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.workspace import Workspace
from tests.packages.built import Packages, build_later_packages, build_packages


@pytest.fixture(scope="session")
def packages(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return _once(tmp_path_factory, "packages", lambda into: build_packages(workspace, into))


@pytest.fixture(scope="session")
def later_packages(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return _once(tmp_path_factory, "later", lambda into: build_later_packages(workspace, into))


def _once(
    factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Packages]
) -> Packages:
    """Let one of the processes of this run build; the others wait for it."""
    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build(shared / name)
