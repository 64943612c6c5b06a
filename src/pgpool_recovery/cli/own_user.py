"""The operating system user that a command runs as."""

import os
import pwd
from contextlib import suppress


def own_name() -> str:
    """Return the name of the operating system user, which the pcp_* commands also use for PCP."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        from getpass import getuser

        return getuser()


def use_own_home() -> None:
    """Set HOME to this user's: the server may have inherited that of root, for example.

    libpq looks there for the password file, and we for the ssh key of Pgpool-II's manual.
    """
    with suppress(KeyError):  # In a container the user may have no entry; then HOME is kept.
        os.environ["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
