"""Open a directory that the caller names, unless other users can redirect its path.

The caller of a recovery names the data directory. If another user owns it, or a directory above it,
that user could put links to other files there while we read and write as the server's user.
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
    """Return the real path of a directory, existing or not; raise Refused if others can change it.

    A directory that its group may write to is accepted, since some clusters have such a layout; the
    members of that group are trusted.
    """
    try:
        return find_directory(path, mine_and_roots())
    except Untrusted as untrusted:
        raise _refused(untrusted, path) from untrusted
    except OSError as error:
        raise Refused(f"could not access {path}", detail=f"{reason_of(error)}.") from error


def open_trusted_directory(path: Path) -> int:
    """Return a descriptor of a directory; raise Refused if others can decide which one it is.

    Raises FileNotFoundError or NotADirectoryError when there is none.
    """
    real = trusted_directory(path)
    descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # In a directory where everybody can create entries, another user may have made it since.
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
        detail=f"Another user could decide what {path} is, and what is read and written there.",
        hint=f"All directories and links on the way must belong to root or {user} (chown), and "
        "must not be writable by everybody (chmod o-w), except sticky ones such as /tmp.",
    )
