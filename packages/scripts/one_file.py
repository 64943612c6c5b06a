# ruff: noqa: INP001, UP031, UP036 - a script, which every Python 3 must be able to read
"""Start the command from the zip file that contains this. Any Python 3 can read it."""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "ERROR:  pgpool-recovery needs Python 3.11 or later, and this is %d.%d\n"
        "HINT:  Run the file itself, which finds one in /usr/bin, or name another interpreter.\n"
        % sys.version_info[:2]
    )
    sys.exit(127)

from pgpool_recovery.cli.main import main

sys.exit(main())
