"""Install and uninstall one of our files; a foreign file in its place is saved and restored."""

from collections.abc import Callable
from pathlib import Path

from pgpool_recovery.domain.error import Refused, reason_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import read_bytes
from pgpool_recovery.files.write import remove_file, rename_file, write_file

OURS = b"Part of pgpool-recovery."
WOULD = "would do: "
UP_TO_DATE = "is already up to date"
INSTALL, REMOVE, RESTORE = "install", "remove", "restore"
SAVED_SUFFIX = ".before-pgpool-recovery"


@record
class PlacedFile:
    """A file of ours: its path, contents and mode."""

    path: Path
    contents: bytes
    mode: int

    @property
    def saved(self) -> Path:
        """Where the foreign file is saved."""
        return self.path.with_name(self.path.name + SAVED_SUFFIX)


def place(file: PlacedFile, *, dry_run: bool) -> str:
    """Install a file; return what was, or would be, done. Raises Refused when it fails."""
    current = _read(file.path)
    if current == file.contents and file.path.stat().st_mode & 0o777 == file.mode:
        return f"{file.path} {UP_TO_DATE}"
    is_foreign = current is not None and OURS not in current
    if not dry_run:
        if is_foreign:
            _do(lambda: rename_file(file.path, file.saved.name), file.path, INSTALL)
        _do(lambda: write_file(file.path, file.contents, mode=file.mode), file.path, INSTALL)
    would = WOULD if dry_run else ""
    if is_foreign:
        return f"{would}{file.path} installed; the previous file is now {file.saved.name}"
    return f"{would}{file.path} installed" if current is None else f"{would}{file.path} updated"


def take_away(file: PlacedFile, *, dry_run: bool) -> str | None:
    """Remove a file of ours and restore the saved one; return what was, or would be, done.

    None when there is nothing to do. Raises Refused when it fails.
    """
    current = _read(file.path)
    has_saved = file.saved.exists()
    would = WOULD if dry_run else ""
    if current is None or OURS not in current:
        # A newer file has replaced ours, say by a package update; the saved one is outdated.
        if has_saved and not dry_run:
            _do(lambda: remove_file(file.saved), file.saved, REMOVE)
        return f"{would}{file.saved} removed, since {file.path} is not ours" if has_saved else None
    if not dry_run:
        if has_saved:
            _do(lambda: rename_file(file.saved, file.path.name), file.path, RESTORE)
        else:
            _do(lambda: remove_file(file.path), file.path, REMOVE)
    how = "restored to its previous contents" if has_saved else "removed"
    return f"{would}{file.path} {how}"


def _read(path: Path) -> bytes | None:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error, "read") from error


def _do(action: Callable[[], object], path: Path, verb: str) -> None:
    try:
        action()
    except OSError as error:
        raise _refused(path, error, verb) from error


def _refused(path: Path, error: OSError, verb: str) -> Refused:
    return Refused(
        f"could not {verb} {path}: {reason_of(error)}",
        hint="Run it as root for files of the server, as its owner for those of a data directory.",
    )
