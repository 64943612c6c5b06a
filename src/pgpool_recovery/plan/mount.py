"""What a mount keeps from being replaced or written: said before anything is touched."""

import shlex
from collections.abc import Iterable, Iterator

from pgpool_recovery.facts.facts import PlaceFacts, TargetFacts
from pgpool_recovery.facts.rejection import Rejection


def reject_mounts_inside(name: str, target: TargetFacts) -> Iterator[Rejection]:
    """Say what is mounted within the data directory: a copy cannot take its place.

    The old directory would keep the mount, and could not be removed. A standby that lacks nothing
    but WAL is not replaced, so for that it is no obstacle.
    """
    if not target.mounts_inside:
        return
    path, where = target.data.path, target.hostname
    if target.mounts_inside == (f"{path}/pg_wal",):
        hint = (
            f"With the server stopped, on {where}: move what is in pg_wal to a directory "
            f"elsewhere, unmount {path}/pg_wal and mount it elsewhere, then make pg_wal a symbolic "
            "link to a directory there."
        )
    else:
        hint = (
            "Check backend_data_directory in pgpool.conf. If it is right, unmount them: a WAL "
            "directory or a tablespace elsewhere is reached by a symbolic link."
        )
    yield Rejection(
        f"data directory {path} of {name} has mount points inside",
        detail=f"They are {', '.join(target.mounts_inside)}.",
        hint=hint,
    )


def reject_layered(name: str, host: str, places: Iterable[PlaceFacts]) -> Iterator[Rejection]:
    """Say which directories cannot be moved, be it as a whole or entry by entry."""
    for place in places:
        if place.is_layered:
            yield Rejection(
                f"{place.path} of {name} cannot be moved: it is part of the image of a container",
                detail=f"It is on the overlay filesystem mounted at {place.filesystem.mounted_at} "
                f"of {host}, and comes from one of its lower layers.",
                hint="Give the container a volume for it, copy what it holds there with the server "
                "stopped, then recover the node again.",
            )


def reject_read_only(name: str, host: str, place: PlaceFacts) -> Iterator[Rejection]:
    """Say that nobody can write to a place, whoever it belongs to."""
    filesystem = place.filesystem
    if filesystem.is_read_only:
        yield Rejection(
            f"{place.path} of {name} is on a filesystem that is mounted read-only",
            detail=f"It is mounted at {filesystem.mounted_at} of {host}.",
            hint=f"Look in the kernel's log of {host} (dmesg) for why, then mount it for writing: "
            f"mount -o remount,rw {shlex.quote(filesystem.mounted_at)}.",
        )
