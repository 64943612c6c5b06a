"""Which of the extensions' files belong to a package of the distribution."""

from collections.abc import Iterable
from pathlib import Path

from pgpool_recovery.domain.error import Refused, reason_of
from pgpool_recovery.files.text import lines_of, read_text

LISTS = Path("/usr/share/pgpool-recovery/owned")
"""Each package with the extensions' files has a list of their paths here, named after itself.

So neither dpkg nor rpm is asked, whose databases have no format that others may read, and the
answer is the same for a command from a package and for one from a venv beside it.
"""


def package_of(paths: Iterable[Path], lists: Path = LISTS) -> str | None:
    """Return the name of the package to which one of these files belongs; None if to none.

    Raises Refused when a list cannot be read.
    """
    wanted = {str(path) for path in paths}
    try:
        files = sorted(lists.iterdir())
        for file in files:
            if wanted.intersection(lines_of(read_text(file))):
                return file.name
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"could not read {lists}: {reason_of(error)}") from error
    return None
