"""Move one directory: a copy that grows, an old one that waits, and the swap of the two.

The workspace of a place contains

* ``new``: the copy, complete or not
  (or the directory itself, taken out of its place so that no server starts while it is changed)
* ``old``: the directory that the copy replaced
* ``moving``: an old directory some of whose entries are at the place, on their way out or back
* ``condemned``: a mark that what is at the place must be removed, or what was moved from there
"""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from pgpool_recovery.domain.data_directory import LOST_AND_FOUND
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.facts.step.place import Place
from pgpool_recovery.files.trust import Untrusted, check_directory
from pgpool_recovery.files.write import sync
from pgpool_recovery.host.lock import LOCK_NAME, remove_lock

DIRECTORY_MODE = 0o700
BLOCK_BYTES = 512  # The unit of st_blocks (stat(2)).
Freed = Callable[[int], None]
"""Is told how many bytes a file had that was removed: terabytes take a while."""


def unwatched(_freed_bytes: int) -> None:
    """Ignore what is removed: the `Freed` of a caller that removes little."""


def entries(place: Place) -> list[Path]:
    """Return the entries at the place itself, without the workspace and lost+found."""
    path = Path(place.path)
    if not path.is_dir():
        return []
    kept = (Path(place.workspace), path / LOST_AND_FOUND)
    return [entry for entry in path.iterdir() if entry not in kept]


def has_old(place: Place) -> bool:
    """Return whether an old directory waits."""
    return Path(place.old).exists()


def swap_in(place: Place) -> None:
    """Put the new directory in place; what was there waits as the old one.

    None waits yet: a plan begins with only one copy (PutOldBack, DiscardWaiting).
    """
    if entries(place):
        _move_away(place)
    _make_room(place)
    _move_in(place)


def restore(place: Place, freed: Freed = unwatched, *, was_empty: bool) -> None:
    """Put the old directory back, wherever the swap was interrupted or undone.

    `was_empty`: nothing was at the place before, so everything that is there now is new.
    """
    if _within(place, "moving").exists():
        _unite(place)
    elif has_old(place):
        remove_contents(place, freed)
        _move_back(place)
    elif was_empty:
        remove_contents(place, freed)


def take_out(place: Place) -> None:
    """Move the directory itself to where a copy would grow, to be changed there.

    This can be repeated, and undone by `put_in_place`, wherever it is interrupted.
    """
    new = Path(place.new)
    if place.is_inside:
        new.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        new.chmod(stat.S_IMODE(Path(place.path).stat().st_mode) | DIRECTORY_MODE)
        sync(new.parent)
        _move(sorted(entries(place), key=_is_global, reverse=True), new)
    elif Path(place.path).exists():
        Path(place.path).rename(new)
        sync(Path(place.path).parent)
    sync(Path(place.workspace))


def put_in_place(place: Place) -> None:
    """Move the directory that was taken out back to its place; this can be repeated."""
    new = Path(place.new)
    if new.exists():
        _make_room(place)
        _move_in(place)


def remove_contents(place: Place, freed: Freed = unwatched) -> None:
    """Remove what is at the place itself; after a crash the mark says that this must go on."""
    condemned = _within(place, "condemned")
    if place.is_inside:
        condemned.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        sync(condemned.parent)
        for entry in entries(place):
            remove(entry, freed)
    elif Path(place.path).exists():
        remove(condemned, freed)
        Path(place.path).rename(condemned)
        sync(Path(place.path).parent)
    remove(condemned, freed)


def has_condemned(place: Place) -> bool:
    """Return whether a removal was interrupted."""
    return _within(place, "condemned").exists()


def finish_removal(place: Place, freed: Freed = unwatched) -> None:
    """Finish a removal that was interrupted."""
    condemned = _within(place, "condemned")
    if condemned.exists() and place.is_inside:
        remove_contents(place, freed)
    remove(condemned, freed)


def remove_copy(place: Place, freed: Freed = unwatched) -> None:
    """Remove the copy, complete or not."""
    remove(_within(place, "new"), freed)


def remove_old(place: Place, freed: Freed = unwatched) -> None:
    """Remove the old directory that waits."""
    remove(Path(place.old), freed)


def discard(workspace: Path, freed: Freed = unwatched) -> None:
    """Remove a workspace with all its contents; the lock file is removed last."""
    if workspace.is_dir():
        for entry in workspace.iterdir():
            if entry.name != LOCK_NAME:
                remove(entry, freed)
        remove_lock(workspace)


def _within(place: Place, name: str) -> Path:
    return Path(place.workspace) / name


def _move_away(place: Place) -> None:
    if place.is_inside:
        moving = _within(place, "moving")
        moving.mkdir(mode=DIRECTORY_MODE)
        for entry in entries(place):
            entry.rename(moving / entry.name)
        sync(moving)
        moving.rename(place.old)
    else:
        Path(place.path).rename(place.old)
        sync(Path(place.path).parent)
    sync(Path(place.workspace))


def _make_room(place: Place) -> None:
    if not place.is_inside and Path(place.path).exists():
        Path(place.path).rmdir()


def _move_in(place: Place) -> None:
    if place.is_inside:
        _move_entries(Path(place.new), Path(place.path))
    else:
        Path(place.path).parent.mkdir(parents=True, exist_ok=True)
        Path(place.new).rename(place.path)
        sync(Path(place.path).parent)
    remove_copy(place)


def _move_back(place: Place) -> None:
    if place.is_inside:
        Path(place.old).rename(_within(place, "moving"))
        sync(Path(place.workspace))
        _unite(place)
    else:
        Path(place.old).rename(place.path)
        sync(Path(place.path).parent)


def _unite(place: Place) -> None:
    """Move back to the place the entries of an old directory that are not there yet."""
    moving = _within(place, "moving")
    _move_entries(moving, Path(place.path))
    moving.rmdir()


def _move_entries(source: Path, target: Path) -> None:
    """Move all entries; the directory of the control file, which a server needs to start, last."""
    _move(sorted(source.iterdir(), key=_is_global), target)


def _move(moved: Iterable[Path], target: Path) -> None:
    for entry in moved:
        entry.rename(target / entry.name)
    sync(target)


def _is_global(entry: Path) -> bool:
    return entry.name == "global"


def is_workspace(path: Path) -> bool:
    """Return whether a workspace is there; raise Refused if another user can have written to it.

    It says which directories are removed and put in place. Beside the data directory it may be in
    a directory in which every user can create one, such as a sticky directory.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    if stat.S_ISREG(status.st_mode):
        return False  # It is something else with that name.
    try:
        check_directory(status, path, {os.geteuid()})
    except Untrusted as untrusted:
        raise Refused(
            untrusted.why,
            detail="Interrupted recoveries record there what they left and what must be removed, "
            "so only the owner of the data directory may write to it.",
            hint="Remove it. If recoveries of this node created it, give it to the owner of the "
            "data directory instead, with mode 0700.",
        ) from untrusted
    return True


def make_workspace(path: Path) -> None:
    """Make a workspace unless it exists; raise Refused if another user can have written to it.

    Raises FileExistsError when it existed and the agent that held it has just removed it.
    """
    try:
        make_directory(path)
    except FileExistsError as error:
        if not os.path.lexists(path):
            raise
        raise Refused(f"{path} is not a directory", hint="Move it elsewhere.") from error
    is_workspace(path)


def make_directory(path: Path) -> None:
    """Make a directory that only this user can access, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)


def remove(path: Path, freed: Freed = unwatched) -> None:
    """Remove a file, a link or a directory with all its contents; follow no link.

    Directories of ours whose mode prevents that are given a mode that permits it.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    try:
        _remove_tree(path, freed)
    except PermissionError:
        _open_up(path)
        _remove_tree(path, freed)


def _remove_tree(directory: Path, freed: Freed) -> None:
    """Remove a directory, from the bottom, and say after each file how much is gone."""
    for _, directories, files, above in os.fwalk(
        directory, topdown=False, follow_symlinks=False, onerror=_raise
    ):
        for name in files:
            status = os.stat(name, dir_fd=above, follow_symlinks=False)
            os.unlink(name, dir_fd=above)
            freed(status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0)
        for name in directories:
            _remove_emptied(name, above)
    directory.rmdir()


def _remove_emptied(name: str, above: int) -> None:
    """Remove a directory whose contents are gone, or a link that leads to some directory."""
    if stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=above)
    else:
        os.rmdir(name, dir_fd=above)


def _raise(error: OSError) -> None:
    raise error


def _open_up(directory: Path) -> None:
    status = directory.lstat()
    if status.st_uid == os.geteuid() and status.st_mode & DIRECTORY_MODE != DIRECTORY_MODE:
        directory.chmod(status.st_mode | DIRECTORY_MODE)
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            _open_up(Path(entry.path))
