"""The way to a directory that somebody names: nobody else can lead us elsewhere on it.

Who asks for a recovery names the data directory. Where it belongs to somebody else, or hangs below
what does, he can put links to other files there while we read and write as the server's user.
"""

import os
import pwd
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.domain.error import Refused, reason_of
from pgpool_recovery.files.trust import (
    Untrusted,
    check_owner,
    find_directory,
    mine_and_roots,
)


def trusted_directory(path: Path) -> Path:
    """Return where a directory is, or would be; Refused when somebody else decides that.

    Whose group may write to a directory, its members are trusted: clusters have such a layout.
    """
    try:
        return find_directory(path, mine_and_roots())
    except Untrusted as untrusted:
        raise _refused(untrusted, path) from untrusted
    except OSError as error:
        raise Refused(f"{path} cannot be looked at", detail=f"{reason_of(error)}.") from error


def open_trusted_directory(path: Path) -> int:
    """Return a descriptor of a directory; Refused when somebody else decides which one it is.

    Raises FileNotFoundError or NotADirectoryError when there is none.
    """
    real = trusted_directory(path)
    descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Where everybody can make one, it may have been made since then.
        check_owner(os.fstat(descriptor), path, mine_and_roots())
    except Untrusted as untrusted:
        os.close(descriptor)
        raise _refused(untrusted, path) from untrusted
    return descriptor


def _refused(untrusted: Untrusted, path: Path) -> Refused:
    user = str(os.geteuid())
    with suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
    return Refused(
        untrusted.why,
        detail=f"Somebody else decides what {path} is, and what is read and written there.",
        hint=f"All directories and links on the way have to belong to root or {user} (chown), and "
        "not everybody may write to them (chmod o-w), but to sticky ones such as /tmp.",
    )
