"""A clone of all directories, where the filesystem shares blocks between files (reflink)."""

from pathlib import Path

from pgpool_recovery.agent.program import Stop, run
from pgpool_recovery.agent.workspace import make_directory
from pgpool_recovery.plan.step import Places


def clone(places: Places, stop: Stop) -> None:
    """Clone the directories to where copies grow, and lead the clone's links to its own parts."""
    for place in places.all():
        if Path(place.path).exists():
            make_directory(Path(place.new))
            argv = ["cp", "--archive", "--reflink=always", f"{place.path}/.", place.new]
            # no limit: the runner ends a step after step_s, and the agent its programs
            run(argv, stop, timeout_s=None).check()
    new = Path(places.data.new)
    links = {new / "pg_tblspc" / str(t.oid): t.copy_location for t in places.tablespaces}
    if places.wal is not None:
        links[new / "pg_wal"] = places.wal.new
    for link, target in links.items():
        if link.is_symlink():
            link.unlink()
            link.symlink_to(target)
