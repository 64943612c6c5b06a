"""The distribution for the PostgreSQL Extension Network: the extensions alone, ready to install."""

import json
from pathlib import Path

from packages.archive import archive_of, members
from packages.project import ROOT, source_date
from packages.tree import File, Tree, merged

NAME = "pgpool_recovery"
META = "extension/META.json"
IN_THE_ROOT = {
    "META.json": META,
    "Makefile": "packages/scripts/pgxn.mk",
    "README.md": "extension/README.md",
    "LICENSE": "LICENSE",
    "Changes.md": "CHANGELOG.md",
}
SOURCES = (
    "extension/Makefile",
    "extension/build.py",
    "extension/*.control",
    "extension/sql/*.sql",
    "extension/python/*/*.py",
    "extension/regress/sql/*.sql",
    "extension/regress/expected/*.out",
    "src/pgpool_recovery/pcp/client/*.py",
    "src/pgpool_recovery/in_server/*.py",
)
ASSEMBLED = "pgpool_recovery/extension/"
"""The scripts as our wheel has them. They are last in the zip file, so that they are not older than
their sources however it is unpacked: then make leaves them alone, and needs no Python."""


def build(wheels: Path, into: Path) -> Path:
    """Write the zip file and return its path."""
    version = json.loads((ROOT / META).read_text())["version"]
    directory = f"{NAME}-{version}"
    tree = {f"{directory}/{path}": entry for path, entry in contents(wheels).items()}
    path = into / f"{directory}.zip"
    path.write_bytes(archive_of(tree, source_date()))
    return path


def contents(wheels: Path) -> Tree:
    """Return the files of the distribution, from their paths in it."""
    (wheel,) = wheels.glob("pgpool_recovery-*.whl")
    scripts = {
        f"extension/{name.removeprefix(ASSEMBLED)}": File(data)
        for name, data in members(wheel.read_bytes()).items()
        if name.startswith(ASSEMBLED) and name.endswith(".sql")
    }
    sources = {
        str(file.relative_to(ROOT)): File(file.read_bytes())
        for pattern in SOURCES
        for file in ROOT.glob(pattern)
    }
    root = {name: File((ROOT / file).read_bytes()) for name, file in IN_THE_ROOT.items()}
    return {**merged(sources, root), **scripts}
