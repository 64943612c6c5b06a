"""A clone of all directories, where the filesystem shares blocks between files (reflink)."""

from collections.abc import Mapping
from pathlib import Path

from pgpool_recovery.agent.directory.links import lead_to_copies
from pgpool_recovery.agent.directory.workspace import make_directory, remove
from pgpool_recovery.facts.step import Places
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop

COPY = ("cp", "--archive")


def clone(places: Places, stop: Stop) -> None:
    """Clone the directories to where copies grow, and lead the clone's links to its own parts."""
    for place in places.all():
        if Path(place.path).exists():
            make_directory(Path(place.new))
            _copy(place.path, place.new, "always", stop)
    lead_to_copies(places)


def clone_again(places: Places, locations: Mapping[int, str], stop: Stop) -> None:
    """Bring tablespaces back into the clone that its crash recovery has led elsewhere.

    When the WAL that it replays makes a tablespace, the server leads the link to where the record
    has it (create_tablespace_directories in tablespace.c), which is beside the old data, and goes
    on there. That does not harm the old data, whose own recovery replays the same over it, as after
    a crash amid recovery. But pg_rewind would change what it finds there, and remove the rest.
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
    # no limit: the runner ends a step after step_s, and the agent its programs
    run([*COPY, f"--reflink={reflink}", f"{source}/.", target], stop, timeout_s=None).check()
