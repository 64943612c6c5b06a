# ruff: noqa: INP001 - a script, which has no package
"""Start the command with the packages that lie beside this file, before any other."""

import sys

sys.path.insert(0, "/usr/lib/pgpool-recovery")

from pgpool_recovery.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
