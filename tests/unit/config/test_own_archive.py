"""How this program starts itself again, installed as a package or run from one zip file."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery.config.own_command import own_archive, own_command, own_process

PROGRAM = """\
from pgpool_recovery.config.own_command import own_command, own_process
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


SYSTEMS = "/usr/bin/python3"


def again(interpreter: str, archive: Path) -> list[str]:
    return [interpreter, "-ISB", "-X", "utf8", str(archive)]


def test_archive_that_can_be_executed_is_the_command(archive: Path) -> None:
    archive.chmod(0o755)
    assert printed(archive, SYSTEMS) == f"{[str(archive)]} {again(SYSTEMS, archive)} True\n"


def test_archive_that_cannot_be_executed_is_run_by_the_interpreter(archive: Path) -> None:
    archive.chmod(0o644)
    words = again(SYSTEMS, archive)
    assert printed(archive, SYSTEMS) == f"{words} {words} True\n"


def test_interpreter_that_the_archive_would_not_find_is_named(archive: Path) -> None:
    archive.chmod(0o755)
    words = again(sys.executable, archive)
    assert printed(archive, sys.executable) == f"{words} {words} True\n"


def test_installed_package_is_no_archive() -> None:
    assert own_archive() is None
    assert own_process() == [sys.executable, "-I", "-m", "pgpool_recovery"]
    assert own_command()[0] == str(Path(sys.executable).with_name("pgpool-recovery"))


def printed(archive: Path, interpreter: str) -> str:
    """Return what the archive prints when it is named by a relative path."""
    return subprocess.run(
        [interpreter, "-I", archive.name],
        cwd=archive.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
