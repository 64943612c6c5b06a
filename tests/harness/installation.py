"""A PostgreSQL installation: the machine's own, or a private copy that tests may change."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_PREFIX = Path("/usr")


@dataclass(frozen=True)
class Installation:
    """Debian's tree of one PostgreSQL major version, below /usr or a directory of our own.

    PostgreSQL finds its other directories relative to its programs (src/port/path.c,
    make_relative_path), so the tree works wherever it stands.
    """

    prefix: Path
    major: int

    @property
    def bindir(self) -> Path:
        return self.prefix / "lib/postgresql" / str(self.major) / "bin"

    @property
    def extension_directory(self) -> Path:
        return self.prefix / "share/postgresql" / str(self.major) / "extension"

    def program(self, name: str) -> str:
        return str(self.bindir / name)


def system_installation(
    postgresql_major: int | None = None, root: Path = Path("/")
) -> Installation:
    """Return the installation of the system at `root`: the newest major unless one is named."""
    found = installed_majors(root)
    major = max(found, default=None) if postgresql_major is None else postgresql_major
    if major not in found:
        raise LookupError(f"PostgreSQL {major or 'server'} is not installed; there is: {found}")
    return Installation(_SYSTEM_PREFIX, major)


def copied_installation(directory: Path, postgresql_major: int | None = None) -> Installation:
    """Copy the machine's installation below `directory` and return the copy."""
    system = system_installation(postgresql_major)
    for tree in ("lib/postgresql", "share/postgresql"):
        part = Path(tree) / str(system.major)
        shutil.copytree(system.prefix / part, directory / part, symlinks=True)
    return Installation(directory, system.major)


def installed_majors(root: Path = Path("/")) -> list[int]:
    """Return the major versions whose server is installed below `root`, oldest first."""
    servers = (root / _SYSTEM_PREFIX.relative_to("/") / "lib/postgresql").glob("*/bin/postgres")
    names = (server.parent.parent.name for server in servers)
    return sorted(int(name) for name in names if re.fullmatch(r"\d+", name))
