"""What the packages contain: a function for each kind of file, which returns a tree."""

import zipfile
from pathlib import Path

from packages.generated import generated
from packages.project import NAME, ROOT, source_date, version
from packages.tree import File, Tree, merged, text

LIBRARY = "/usr/lib/pgpool-recovery"
COMMAND = "/usr/bin/pgpool-recovery"
OWNED = "/usr/share/pgpool-recovery/owned"
"""The lists of the extension's files that a package owns; install and uninstall read them."""
SCRIPTS = Path(__file__).parent / "scripts"
EXTENSION = "pgpool_recovery/extension/"


def command(wheels: Path) -> Tree:
    """Return the files of the package with the command, the same in every format."""
    more = generated(version(wheels), source_date())
    return merged(launcher(), library(wheels), documents(NAME), more)


def launcher() -> Tree:
    """Return the command, and what it starts."""
    return {
        COMMAND: text(script("launcher.sh"), 0o755),
        f"{LIBRARY}/start.py": text(script("start.py")),
        f"{LIBRARY}/{NAME}.launcher": text(f"{COMMAND}\n"),
    }


def library(wheels: Path) -> Tree:
    """Return the unpacked wheels: ours, and those that it needs.

    Of what describes a wheel only METADATA stays, where psycopg finds its version. The licences
    are in the copyright file of the package.
    """
    return merged(*(_unpacked(wheel) for wheel in sorted(wheels.glob("*.whl"))))


def documents(package: str) -> Tree:
    """Return the pages to begin with, for the documentation directory of a package."""
    names = ("README.md", "CHANGELOG.md")
    return {f"/usr/share/doc/{package}/{name}": File((ROOT / name).read_bytes()) for name in names}


def extension(wheels: Path, directory: str, package: str) -> Tree:
    """Return the extensions' files for a server whose extension directory that is.

    With them goes the list of these files, by which `pgpool-recovery install` and `uninstall` know
    whose they are without a question to dpkg or rpm.
    """
    (wheel,) = wheels.glob("pgpool_recovery-*.whl")
    files = {
        f"{directory}/{path.removeprefix(EXTENSION)}": entry
        for path, entry in _members(wheel).items()
        if path.startswith(EXTENSION)
    }
    names = "".join(f"{path}\n" for path in sorted(files))
    return merged(files, {f"{OWNED}/{package}": text(names)})


def script(name: str) -> str:
    """Return a script of ours; a line @PYTHON@ in it is replaced by the choice of the Python."""
    words = (SCRIPTS / name).read_text()
    return words.replace("@PYTHON@\n", (SCRIPTS / "python.sh").read_text())


def _unpacked(wheel: Path) -> Tree:
    return {
        f"{LIBRARY}/{path}": entry
        for path, entry in _members(wheel).items()
        if ".dist-info/" not in path or path.endswith(".dist-info/METADATA")
    }


def _members(wheel: Path) -> dict[str, File]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: File(archive.read(name)) for name in archive.namelist() if not name.endswith("/")
        }
