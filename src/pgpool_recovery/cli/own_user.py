"""The user of the operating system as whom a command runs."""

import os
import pwd
from contextlib import suppress


def own_name() -> str:
    """Return the name of the operating system's user, as whom the pcp_* commands ask, too."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        from getpass import getuser

        return getuser()


def use_own_home() -> None:
    """Set HOME to this user's: the server has that of whoever started it, say root's.

    libpq looks there for the password file, and we for the key of Pgpool-II's manual.
    """
    with suppress(KeyError):  # A container's user may have no entry, and then keeps what is set.
        os.environ["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
