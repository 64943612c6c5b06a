"""``python -m pgpool_recovery``: the command without its script."""

import sys

from pgpool_recovery.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
