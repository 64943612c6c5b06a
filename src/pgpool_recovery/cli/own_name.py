"""As whom a command runs."""

import getpass
import os
import pwd


def own_name() -> str:
    """Return the name of the operating system's user, as whom the pcp_* commands ask, too."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return getpass.getuser()
