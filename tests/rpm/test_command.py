"""The package with the command: it runs, its byte code is the host's, and nothing is left."""

import sys
from pathlib import Path

from packages.contents import LIBRARY
from packages.project import NAME, ROOT
from pgpool_recovery import __version__
from tests.rpm.conftest import GONE, Packages
from tests.rpm.scratch import ScratchRoot

TAG = sys.implementation.cache_tag


def compiled(scratch: ScratchRoot) -> set[str]:
    """Return the names of the modules that are compiled, as of their source files."""
    return {
        str(Path(path).parent.parent / Path(path).name.replace(f".{TAG}.pyc", ".py"))
        for path in scratch.files(LIBRARY)
        if path.endswith(f".{TAG}.pyc")
    }


def sources(scratch: ScratchRoot) -> set[str]:
    return {path for path in scratch.files(LIBRARY) if path.endswith(".py")}


def test_it_runs_and_is_removed_without_a_trace(scratch: ScratchRoot, packages: Packages) -> None:
    scratch.install(packages.command[0])
    ran = scratch.chrooted(f"/usr/bin/{NAME}", "--version")
    assert ran.stdout.strip().endswith(__version__), ran
    assert compiled(scratch) == sources(scratch)
    assert scratch.rpm("-V", "--nodeps", NAME) == ""
    scratch.remove(NAME)
    assert scratch.files() == {}
    assert not scratch.at(LIBRARY).exists()


def test_package_has_no_byte_code_of_its_own(scratch: ScratchRoot, packages: Packages) -> None:
    listed = scratch.rpm("-qpl", f"/mnt/packages/{packages.command[0].name}")
    assert "__pycache__" not in listed
    assert f"{LIBRARY}/start.py" in listed


def test_update_compiles_again_and_leaves_nothing_old(
    scratch: ScratchRoot, packages: Packages
) -> None:
    scratch.install(packages.python)
    scratch.install(packages.command[0])
    stale = scratch.at(f"{LIBRARY}/pgpool_recovery/__pycache__/gone.pyc")
    stale.write_bytes(b"")
    scratch.install(packages.command[1])
    assert compiled(scratch) == sources(scratch)
    assert not stale.exists()
    assert not scratch.at(GONE).exists()
    assert scratch.rpm("-q", NAME).strip() == f"{NAME}-2.0.0-2.noarch"
    scratch.remove(NAME)
    assert not scratch.at(LIBRARY).exists()


def test_timer_that_somebody_enabled_goes_with_the_package(
    scratch: ScratchRoot, packages: Packages
) -> None:
    """And the directory that systemd has made for its service; an update keeps both."""
    scratch.install(packages.command[0])
    link = scratch.at("/etc/systemd/system/timers.target.wants/pgpool-recovery-check.timer")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to("/usr/lib/systemd/system/pgpool-recovery-check.timer")
    state = scratch.at("/var/lib/pgpool-recovery-check/check.json")
    state.parent.mkdir()
    state.touch()
    scratch.install(packages.command[1])
    assert link.is_symlink()
    assert state.exists()
    scratch.remove(NAME)
    assert not link.is_symlink()
    assert not state.parent.exists()
    assert scratch.files() == {}


def test_new_interpreter_is_noticed(scratch: ScratchRoot, packages: Packages) -> None:
    scratch.install(packages.command[0])
    for module in scratch.at(LIBRARY).rglob("*.pyc"):
        module.unlink()
    scratch.install(packages.python)
    assert compiled(scratch) == sources(scratch)


def test_without_an_interpreter_it_says_what_to_install(
    scratch: ScratchRoot, packages: Packages
) -> None:
    scratch.run("sh", "-c", "rm -f /mnt/root/usr/bin/python3.[0-9]*")
    done = scratch.run(
        *("rpm", "--root", "/mnt/root", "--dbpath", "/var/lib/rpm", "-U", "--nodeps"),
        f"/mnt/packages/{packages.command[0].name}",
    )
    assert done.returncode == 0
    assert "there is no Python 3.11 or later in /usr/bin" in done.stderr
    ran = scratch.chrooted(f"/usr/bin/{NAME}", "--version")
    assert ran.returncode == 127
    assert "HINT:  Install the package python3.11, or a later one." in ran.stderr
    scratch.remove(NAME)
    assert set(scratch.files()) == set()


def test_pages_to_begin_with_are_documentation(scratch: ScratchRoot, packages: Packages) -> None:
    listed = scratch.rpm("-qp", "--docfiles", f"/mnt/packages/{packages.command[0].name}").split()
    assert f"/usr/share/doc/{NAME}/README.md" in listed
    scratch.install(packages.command[0])
    assert scratch.files()[f"/usr/share/doc/{NAME}/README.md"] == (ROOT / "README.md").read_text()
