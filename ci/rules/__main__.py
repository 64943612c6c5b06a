"""Check this checkout against every rule; the exit status is 1 when one is broken."""

import importlib
import pkgutil
import sys
from pathlib import Path

from ci import rules

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print each violation, and return the exit status."""
    found = [
        f"{line} [{name}]"
        for _, name, _ in pkgutil.iter_modules(rules.__path__)
        if not name.startswith("_")
        for line in importlib.import_module(f"ci.rules.{name}").violations(ROOT)
    ]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
