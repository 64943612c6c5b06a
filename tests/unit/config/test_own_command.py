"""The words that start this command again, however it was installed."""

import sys
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery.config.own_command import LAUNCHER, own_command, own_process


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory with our package, run by an interpreter with a command beside it."""
    library, programs = tmp_path / "lib", tmp_path / "bin"
    for directory in (library / "pgpool_recovery", programs):
        directory.mkdir(parents=True)
    for name in ("python3", "pgpool-recovery"):
        (programs / name).touch(mode=0o755)
    monkeypatch.setattr(
        pgpool_recovery, "__file__", str(library / "pgpool_recovery" / "__init__.py")
    )
    monkeypatch.setattr(sys, "executable", str(programs / "python3"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "prefix", "/usr")
    return library


def test_package_names_its_launcher(library: Path) -> None:
    (library / LAUNCHER).write_text("/usr/bin/pgpool-recovery\n")
    assert own_command() == ["/usr/bin/pgpool-recovery"]
    assert own_process() == ["/usr/bin/pgpool-recovery"]


def test_venv_has_its_own_beside_a_package(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(library.parent))
    script = library.parent / "bin" / "pgpool-recovery"
    module = [sys.executable, "-I", "-m", "pgpool_recovery"]
    assert (own_command(), own_process()) == ([str(script)], module)
    script.unlink()
    assert own_command() == module


def test_command_beside_the_interpreter_of_the_system_may_be_another(library: Path) -> None:
    """Installed by pip for /usr/bin/python3, while a package has /usr/bin/pgpool-recovery."""
    module = [sys.executable, "-I", "-m", "pgpool_recovery"]
    assert (own_command(), own_process()) == (module, module)


def test_package_in_an_archive(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = library.parent / "archive.pyz"
    archive.touch()
    monkeypatch.setattr(pgpool_recovery, "__file__", f"{archive}/pgpool_recovery/__init__.py")
    assert own_command() == [sys.executable, "-I", "-m", "pgpool_recovery"]
