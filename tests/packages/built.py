"""Build our Debian packages for a test: of this checkout, and of a later build made from it."""

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.harness.product import build_wheels
from tests.harness.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
VERSION, LATER = "2.0.0", "2.0.1"
COMMAND = "pgpool-recovery"
_OURS = "pgpool_recovery/"
_DIRECTORY, _LATER_DIRECTORY = b"/sql/{name}.sql", b"/queries/{name}.sql"
_GUARD = f"""\
import pgpool_recovery as _build
if _build.__version__ != "{LATER}":
    raise ImportError("a module of build {LATER} in a process of build " + _build.__version__)
"""
"""What makes a mixture of two builds fail for certain, instead of by luck."""


@dataclass(frozen=True)
class Packages:
    """The packages of one build."""

    directory: Path
    version: str

    @property
    def command(self) -> Path:
        return self._file(COMMAND)

    def extension(self, major: int) -> Path:
        return self._file(extension_package(major))

    def _file(self, name: str) -> Path:
        [file] = self.directory.glob(f"{name}_{self.version}-*.deb")
        return file


def extension_package(major: int) -> str:
    """Return the name of our package with the extensions for a major version."""
    return f"postgresql-{major}-{COMMAND}"


def build_packages(workspace: Workspace, into: Path) -> Packages:
    """Build the packages of this checkout, unless they are there."""
    packages = Packages(into, VERSION)
    if not into.exists():
        _package(build_wheels(workspace), into)
    return packages


def build_later_packages(workspace: Workspace, into: Path) -> Packages:
    """Build packages of a higher version, whose modules refuse to be mixed with those of today.

    Its queries lie elsewhere, so a process of today's build does not find those that it has not
    read.
    """
    packages = Packages(into, LATER)
    if into.exists():
        return packages
    wheels = workspace.make("later-wheels")
    for wheel in build_wheels(workspace).glob("*.whl"):
        if wheel.name.startswith("pgpool_recovery-"):
            _rewrite(wheel, wheels / wheel.name.replace(VERSION, LATER))
        else:
            shutil.copy(wheel, wheels)
    _package(wheels, into)
    return packages


def _package(wheels: Path, into: Path) -> None:
    into.mkdir()
    argv = [sys.executable, "-m", "packages", "--only", "deb", "--wheels", str(wheels)]
    subprocess.run(
        [*argv, "--into", str(into)], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL
    )


def _rewrite(wheel: Path, later: Path) -> None:
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(later, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name.startswith(_OURS):
                text = _later(name.removeprefix(_OURS), text)
            moved = name.replace("postgres/sql/", "postgres/queries/").replace(VERSION, LATER)
            new.writestr(moved, text)


def _later(name: str, text: bytes) -> bytes:
    if name == "__init__.py":
        return text.replace(f'"{VERSION}"'.encode(), f'"{LATER}"'.encode())
    if name == "postgres/connection.py":
        assert text.count(_DIRECTORY) == 1
        text = text.replace(_DIRECTORY, _LATER_DIRECTORY)
    return _GUARD.encode() + text if name.endswith(".py") else text
