"""Mounts that keep a directory from being replaced or written, reported before any change."""

import shlex
from collections.abc import Iterable, Iterator

from pgpool_recovery.facts.facts import PlaceFacts, TargetFacts
from pgpool_recovery.facts.rejection import Rejection


def reject_mounts_inside(name: str, target: TargetFacts) -> Iterator[Rejection]:
    """Report what is mounted inside the data directory, so a copy cannot take its place.

    The old directory would keep the mount and could not be removed. A standby that lacks only WAL
    is not replaced, so a mount does not stand in its way.
    """
    if not target.mounts_inside:
        return
    path, where = target.data.path, target.hostname
    if target.mounts_inside == (f"{path}/pg_wal",):
        hint = (
            f"With the server stopped, on {where}: move the contents of pg_wal to a directory "
            f"elsewhere, unmount {path}/pg_wal and mount it elsewhere, then make pg_wal a symbolic "
            "link to a directory there."
        )
    else:
        hint = (
            "Check backend_data_directory in pgpool.conf. If it is right, unmount them, and use a "
            "symbolic link for a WAL directory or a tablespace elsewhere."
        )
    yield Rejection(
        f"data directory {path} of {name} has mount points inside",
        detail=f"They are {', '.join(target.mounts_inside)}.",
        hint=hint,
    )


def reject_layered(name: str, host: str, places: Iterable[PlaceFacts]) -> Iterator[Rejection]:
    """Report which directories cannot be moved, neither as a whole nor entry by entry."""
    for place in places:
        if place.is_layered:
            yield Rejection(
                f"{place.path} of {name} cannot be moved: it is part of a container image",
                detail=f"It is on the overlay filesystem mounted at {place.filesystem.mounted_at} "
                f"on {host}, and comes from one of its lower layers.",
                hint="Give the container a volume for it, copy its contents there with the server "
                "stopped, then recover the node again.",
            )


def reject_read_only(name: str, host: str, place: PlaceFacts) -> Iterator[Rejection]:
    """Report that a place cannot be written to, regardless of its owner."""
    filesystem = place.filesystem
    if filesystem.is_read_only:
        yield Rejection(
            f"{place.path} of {name} is on a filesystem that is mounted read-only",
            detail=f"It is mounted at {filesystem.mounted_at} on {host}.",
            hint=f"Check the kernel log of {host} (dmesg) for the reason, then make it writable: "
            f"mount -o remount,rw {shlex.quote(filesystem.mounted_at)}.",
        )
