"""How this program starts itself again, installed as a package or run from one zip file."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery.files.own_program import own_archive, own_command, own_process

PROGRAM = """\
from pgpool_recovery.files.own_program import own_command, own_process
from pgpool_recovery.postgres.connection import _query

print(own_command(), own_process(), "pg_catalog." in _query("primary"))
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A zip file with this package, and a program that prints how it would start itself."""
    package = Path(pgpool_recovery.__file__).parent
    file = tmp_path / "an archive"
    with zipfile.ZipFile(file, "w") as written:
        for each in [*package.rglob("*.py"), *package.rglob("*.sql")]:
            written.write(each, Path(package.name) / each.relative_to(package))
        written.writestr("__main__.py", PROGRAM)
    return file


def test_archive_that_can_be_executed_is_the_command(archive: Path) -> None:
    archive.chmod(0o755)
    again = [sys.executable, "-I", str(archive)]
    assert printed(archive) == f"{[str(archive)]} {again} True\n"


def test_archive_that_cannot_be_executed_is_run_by_the_interpreter(archive: Path) -> None:
    archive.chmod(0o644)
    again = [sys.executable, "-I", str(archive)]
    assert printed(archive) == f"{again} {again} True\n"


def test_installed_package_is_run_by_its_name() -> None:
    assert own_archive() is None
    assert own_process() == [sys.executable, "-I", "-m", "pgpool_recovery"]
    assert own_command()[0] == str(Path(sys.executable).with_name("pgpool-recovery"))


def printed(archive: Path) -> str:
    """Return what the archive prints when it is named by a relative path."""
    return subprocess.run(
        [sys.executable, "-I", archive.name],
        cwd=archive.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
