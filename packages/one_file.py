"""The command as one file: a zip file with the locked wheels, which begins with a shell script."""

from pathlib import Path

from packages.archive import archive_of, members
from packages.contents import script
from packages.project import source_date
from packages.tree import File, Tree, merged, text

FILE = "pgpool-recovery.pyz"
LEFT_OUT = ".dist-info/RECORD"
"""The list of a wheel's files would be wrong here. The licences remain."""


def build(wheels: Path, into: Path) -> Path:
    """Write the file and return its path; the same wheels and date give the same bytes."""
    path = into / FILE
    path.write_bytes(archive_of(contents(wheels), source_date(), script("one_file.sh").encode()))
    path.chmod(0o755)
    return path


def contents(wheels: Path) -> Tree:
    """Return the files of the wheels, and what is run first."""
    unpacked: list[Tree] = [
        {name: File(data) for name, data in members(wheel.read_bytes()).items()}
        for wheel in sorted(wheels.glob("*.whl"))
    ]
    tree = merged(*unpacked, {"__main__.py": text(script("one_file.py"))})
    return {path: entry for path, entry in tree.items() if not path.endswith(LEFT_OUT)}
