"""A directory for everything that must be on disk, removed at the end or by the next start."""

import contextlib
import fcntl
import os
import pwd
import shutil
import stat
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PREFIX = "pgpool-harness-"  # short: the path of a Unix socket may have 107 bytes
_MARKER = "in-use"
_HALF_MADE_AFTER_S = 3600


class Workspace:
    """A world-readable directory that this process holds by a lock.

    The kernel releases the lock when the last process that holds it ends, however it ends. So an
    unlocked workspace is an abandoned one, and the next `Workspace()` removes it. A keeper that
    outlives its test process for a moment holds the lock too, through `lock`.
    """

    def __init__(self, parent: Path = Path("/var/tmp")) -> None:  # /tmp is private in a host
        remove_abandoned(parent)
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self.lock = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        # The marker comes after the lock: a directory without one is still being made.
        (self.directory / _MARKER).touch()
        self.directory.chmod(0o755)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def make(self, name: str, *, owner: str | None = None) -> Path:
        """Return the directory `name` in the workspace, made when it is not there."""
        directory = self.directory / name
        directory.mkdir(parents=True, exist_ok=True)
        return _open_to_all(directory, owner)

    def make_new(self, prefix: str, *, owner: str | None = None) -> Path:
        """Return a new directory whose name begins with `prefix`."""
        return _open_to_all(Path(tempfile.mkdtemp(prefix=prefix, dir=self.directory)), owner)

    def close(self) -> None:
        """Remove the directory; a second call does nothing."""
        if self.lock >= 0:
            shutil.rmtree(self.directory, ignore_errors=True)
            os.close(self.lock)
            self.lock = -1


def _open_to_all(directory: Path, owner: str | None) -> Path:
    directory.chmod(0o755)
    if owner is not None and os.geteuid() == 0:
        entry = pwd.getpwnam(owner)
        os.chown(directory, entry.pw_uid, entry.pw_gid)
    return directory


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove the workspaces in `parent` that no process holds, and return them.

    Only real directories that belong to us are examined, and `rmtree` follows no symbolic links,
    so no other user who may write in `parent` can make us remove anything of theirs or ours
    (test_what_is_not_a_workspace_of_ours_stays).
    """
    candidates = [path for path in parent.glob(f"{_PREFIX}*") if _is_ours(path)]
    return [path for path in candidates if _remove_if_abandoned(path)]


def _is_ours(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _remove_if_abandoned(directory: Path) -> bool:
    try:
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _remove_unlocked(directory)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


def _remove_unlocked(directory: Path) -> bool:
    if (directory / _MARKER).exists():
        shutil.rmtree(directory, ignore_errors=True)
    elif time.time() - directory.stat().st_mtime > _HALF_MADE_AFTER_S:
        with contextlib.suppress(OSError):  # only an empty one goes this way
            directory.rmdir()
    return not directory.exists()
