"""A clone of all directories, where the filesystem shares blocks between files (reflink)."""

from collections.abc import Mapping
from pathlib import Path

from pgpool_recovery.agent.directory.links import lead_to_copies
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.facts.step.place import Places
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop

COPY = ("cp", "--archive")


def clone(places: Places, stop: Stop) -> None:
    """Clone the directories to where copies grow, and point the clone's links at its own parts."""
    for place in places.all():
        if Path(place.path).exists():
            make_directory(Path(place.new))
            _copy(place.path, place.new, "always", stop)
    lead_to_copies(places)


def clone_again(places: Places, locations: Mapping[int, str], stop: Stop) -> None:
    """Copy back into the clone the tablespaces whose links its crash recovery points elsewhere.

    When the server replays a WAL record that creates a tablespace, it points the link at the
    location in that record (create_tablespace_directories in tablespace.c), where the old data is,
    and goes on there. That does not harm the old data: its own recovery replays the same records
    over it, as after a crash during recovery. But pg_rewind would change the files there and remove
    the rest.
    """
    for space in places.tablespaces:
        own, link = space.copy_location, Path(places.data.new) / "pg_tblspc" / str(space.oid)
        if locations.get(space.oid) != own or (link.is_symlink() and str(link.readlink()) == own):
            continue
        remove(Path(space.place.new))
        if link.is_symlink():
            replayed = link / Path(space.place.new).name
            make_directory(Path(space.place.new))
            _copy(str(replayed), space.place.new, "auto", stop)
            link.unlink()
            link.symlink_to(own)


def _copy(source: str, target: str, reflink: str, stop: Stop) -> None:
    # no limit: the runner ends a step that makes no progress for stall_s
    run([*COPY, f"--reflink={reflink}", f"{source}/.", target], stop, timeout_s=None).check()
