"""python -m packages: build the packages of the distributions from the wheels of make wheel."""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from packages import deb, rpm
from packages.project import ROOT

FORMATS: dict[str, tuple[str, Callable[[Path, Path], list[Path]]]] = {
    "deb": (deb.TOOL, deb.build),
    "rpm": (rpm.TOOL, rpm.build),
}
"""For each format its tool, and a function of the directory with the wheels and the result's."""


def main() -> int:
    """Build what was asked for, and print the path of each package."""
    parser = argparse.ArgumentParser(prog="python -m packages", description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "dist" / "packages")
    parser.add_argument("--wheels", type=Path, default=ROOT / "dist" / "wheels")
    parser.add_argument("--only", choices=FORMATS)
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    missing = []
    for name, (tool, build) in FORMATS.items():
        if asked.only not in (None, name):
            continue
        if shutil.which(tool):
            for path in build(asked.wheels, asked.into):
                print(path)
        else:
            missing.append(f"no {name} packages were built: {tool} is not installed")
    print(*missing, sep="\n", end="\n" if missing else "", file=sys.stderr)
    return 1 if missing and (asked.only is not None or len(missing) == len(FORMATS)) else 0


if __name__ == "__main__":
    sys.exit(main())
