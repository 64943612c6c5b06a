"""python -m packages.artefacts: build all files of a release from this source tree.

Release and rehearsal run it in a tree that has nothing but the files of one commit, with its src on
PYTHONPATH, because manual pages and completions are generated from the program.
"""

import argparse
import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from packages import bill, collection, one_file, pgxn
from packages.__main__ import FORMATS
from packages.project import ROOT, source_date

SUMS = "SHA256SUMS"
PLAIN = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
"""What the programs that build get, whatever the caller's environment is."""


def main() -> int:
    """Build all of them into a directory that is empty or does not exist."""
    parser = argparse.ArgumentParser(prog="python -m packages.artefacts")
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--without-packages", action="store_true", help="for a quick trial")
    asked = parser.parse_args()
    into: Path = asked.into.resolve()
    os.umask(0o022)
    # The environment is this process's own, and the modules below read it as well.
    os.environ.update(PLAIN, SOURCE_DATE_EPOCH=str(source_date()), PYTHONPATH=str(ROOT / "src"))
    time.tzset()
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise SystemExit(f"{into} is not empty")
    build(into, () if asked.without_packages else FORMATS)
    return 0


def build(into: Path, formats: Iterable[str]) -> None:
    """Build the files; raise CalledProcessError if a program fails."""
    wheels, packages = into / "wheels", into / "packages"
    # With the backend of this interpreter's environment, instead of another one made for it.
    _run("make", "-s", "-o", ".build/installed", "wheel", f"BUILDER={shlex.quote(sys.executable)}")
    (ROOT / "dist" / "wheels").rename(wheels)
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(into))
    for name in formats:
        where = ("--wheels", str(wheels), "--into", str(packages))
        _run(sys.executable, "-m", "packages", "--only", name, *where)
    for part in (one_file, bill, pgxn, collection):
        part.build(wheels, into)
    (into / SUMS).write_text(sums_of(into))


def sums_of(directory: Path) -> str:
    """Return the checksums of all files in a directory, as `sha256sum --check` reads them."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(directory)}\n"
        for file in files
    )


def _run(*argv: str) -> None:
    subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
