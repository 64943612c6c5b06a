"""Prepare what an interrupted full copy left, so that a comparison of blocks can complete it.

It is the copy that was interrupted, wherever that was: before its first directory, or after it was
configured, when its links already lead to where the old data is.
"""

from pathlib import Path

from pgpool_recovery.agent.directory.own_files import withdraw_own_files
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.domain.data_directory import EMPTIED, LINKS, REPLACED, WAL
from pgpool_recovery.facts.step.place import Places
from pgpool_recovery.files.write import sync
from pgpool_recovery.host.stop import Stop


def make_whole(places: Places, stop: Stop) -> None:
    """Make the directories of a copy that do not exist yet, and lead its links to its own parts.

    The node's own files may be in it already, as second names of those in its data directory, which
    must not be written through. All of them are sent again.
    """
    data = Path(places.data.new)
    make_directory(data)
    withdraw_own_files(data)
    for name in sorted((*EMPTIED - {WAL}, *REPLACED, LINKS)):
        make_directory(data / name)
    _lead_wal(places, data)
    known = {str(space.oid): space.copy_location for space in places.tablespaces}
    for entry in (data / LINKS).iterdir():
        remove(entry)
    for oid, location in known.items():
        stop.check()
        make_directory(Path(location))
        (data / LINKS / oid).symlink_to(location)
    sync(data / LINKS)
    sync(data)


def _lead_wal(places: Places, data: Path) -> None:
    """Make pg_wal a directory, or a link to one that is a place of its own."""
    wal = data / WAL
    if wal.is_symlink():
        wal.unlink()
    if places.wal is None:
        make_directory(wal)
        return
    make_directory(Path(places.wal.new))
    if wal.is_dir():
        remove(wal)
    wal.symlink_to(places.wal.new)
