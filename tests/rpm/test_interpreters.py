"""The command and the agent start with the Python of each system that can be had."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packages.project import NAME
from pgpool_recovery import __version__
from tests.rpm.conftest import Packages
from tests.rpm.scratch import ScratchRoot, scratch_root

SYSTEMS = Path("/var/cache/pgpool-recovery-systems")
COMMAND = f"/usr/bin/{NAME}"


@contextmanager
def installed(packages: Packages, system: Path = Path("/")) -> Iterator[ScratchRoot]:
    """The command, installed in a root like this system."""
    with scratch_root(packages.directory, system) as scratch:
        scratch.install(packages.command[0])
        yield scratch


def version_of_python(scratch: ScratchRoot) -> str:
    """Return the version of the Python that the command runs on, by the tag of its byte code."""
    tags = {Path(path).suffixes[-2] for path in scratch.files("/usr/lib") if path.endswith(".pyc")}
    (tag,) = tags
    return tag.removeprefix(".cpython-3")


def starts(scratch: ScratchRoot) -> None:
    """The command runs, and the agent, which is not for root, greets."""
    ran = scratch.chrooted(COMMAND, "--version")
    assert ran.stdout.strip().endswith(__version__), ran
    # Its input ends at once, so it ends after the greeting.
    agent = scratch.run(
        *("chroot", "--userspec=nobody:nogroup", "/mnt/root", "sh", "-c"),
        f"cd / && {COMMAND} agent",
    )
    assert '"is": "Greeting", "agent": "pgpool-recovery' in agent.stdout, agent
    assert agent.returncode == 0, agent


@pytest.mark.parametrize(("name", "python"), [("trixie", "13"), ("sid", "14")])
def test_debian(name: str, python: str, packages: Packages) -> None:
    system = SYSTEMS / name
    if not (system / "usr/bin" / f"python3.{python}").exists():
        pytest.skip(f"the Debian system {name} has not been built: make systems")
    with installed(packages, system) as scratch:
        starts(scratch)
        assert version_of_python(scratch) == python


@pytest.mark.parametrize("older", ["3.6", "3.9", "3.10"])
def test_newer_python_beside_an_older_default(older: str, packages: Packages) -> None:
    """As on Enterprise Linux 8 and 9, and on Ubuntu 22.04; the older one must not be run."""
    with scratch_root(packages.directory) as scratch:
        place = f"/mnt/root/usr/bin/python{older}"
        scratch.run("sh", "-c", f"printf '#!/bin/sh\\nexit 9\\n' >{place} && chmod 755 {place}")
        scratch.run("ln", "-sfn", f"python{older}", "/mnt/root/usr/bin/python3")
        assert scratch.chrooted("/usr/bin/python3").returncode == 9
        scratch.install(packages.command[0])
        starts(scratch)
        assert int(version_of_python(scratch)) >= 11
