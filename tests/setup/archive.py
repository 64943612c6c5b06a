"""A package archive in a directory, so that apt works on hosts that have no network.

The packages are put together again from the files of a system where they are installed, with
dpkg-repack(1).
"""

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.harness.machine import Machine
from tests.harness.system import System
from tests.harness.workspace import Workspace

_SOURCES = "/etc/apt/sources.list.d"


def build_archive(workspace: Workspace, system: System, packages: Sequence[str]) -> Path:
    """Return an archive of a system's packages, made when it is not there."""
    archive = workspace.make(f"archive-{system.name}")
    index = archive / "Packages"
    if not index.exists():
        subprocess.run(
            ["dpkg-repack", f"--root={system.root}", *packages],
            cwd=archive,
            check=True,
            capture_output=True,
        )
        paragraphs = [_paragraph(deb) for deb in sorted(archive.glob("*.deb"))]
        assert len(paragraphs) == len(packages)
        index.write_text("\n".join(paragraphs))
    return archive


def use_archive(machine: Machine, archive: Path) -> None:
    """Make it the only archive that apt on a machine knows."""
    sources = machine.path(_SOURCES)
    for file in (*sources.iterdir(), sources.parent / "sources.list"):
        file.unlink(missing_ok=True)
    line = f"deb [trusted=yes] file:{archive} ./\n"
    machine.write_file(f"{_SOURCES}/archive.list", line, owner="root", mode=0o644)
    machine.run(["apt-get", "update", "-qq"], user="root")


def _paragraph(deb: Path) -> str:
    """Return a package's entry of an index, as in deb-src-files of `man 5 deb822`."""
    fields = subprocess.run(
        ["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True
    ).stdout
    content = deb.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return f"{fields}Filename: ./{deb.name}\nSize: {len(content)}\nSHA256: {digest}\n"
