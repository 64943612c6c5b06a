"""How much space a method needs next to the existing data, and the refusal if there is less."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.facts import PlaceFacts, PrimaryFacts, TargetFacts
from pgpool_recovery.facts.policy import KeepOld
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.meanwhile import Meanwhile

WORKING_BYTES = 2**20
"""For settings and for the journal of a recovery, before anything can be freed."""
GROWTH = 1.05
"""Factor for data that is added while the copy runs; the sizes themselves come from the server."""


@record
class Room:
    """What a plan needs on one filesystem of the target, and what is free there.

    `freed_bytes` is the size of the old data that is removed first.
    """

    path: str
    needed_bytes: int
    free_bytes: int
    freed_bytes: int = 0

    def __str__(self) -> str:
        more = f", and {pretty_size(self.freed_bytes)} more will be" if self.freed_bytes else ""
        needed, free = pretty_size(self.needed_bytes), pretty_size(self.free_bytes)
        return (
            f"it needs about {needed} on the filesystem of {self.path}, where {free} is free{more}"
        )


def rooms_as_json(rooms: Iterable[Room]) -> list[dict[str, Any]]:
    """Return what a plan needs, in JSON types."""
    return [asdict(room) for room in rooms]


@record
class Space:
    """The space on one filesystem of the target, in bytes."""

    path: str
    needed_bytes: int
    free_bytes: int
    old_bytes: int

    @property
    def fits_beside(self) -> bool:
        """Whether the copy fits while the old data stays."""
        return self.needed_bytes <= self.free_bytes

    @property
    def fits_instead(self) -> bool:
        """Whether the copy fits once the old data is gone."""
        return self.needed_bytes <= self.free_bytes + self.old_bytes

    def room(self, *, is_freed: bool) -> Room:
        """Return what a plan reports; `is_freed`: the old data is removed first."""
        freed = self.old_bytes if is_freed else 0
        return Room(self.path, self.needed_bytes, self.free_bytes, freed)


def spaces(
    primary: PrimaryFacts, target: TargetFacts, forecast: Meanwhile | None = None
) -> tuple[Space, ...]:
    """Return what is needed and what is available on each filesystem of the target.

    With the `forecast` of a copy, that counts all WAL that is written meanwhile, since the copy
    receives it and nothing replays it yet. Data cannot grow by more than the WAL that says so.
    """
    wal = (target.wal or target.data, int(GROWTH * primary.wal_bytes))
    sizes = [(place, int(GROWTH * size)) for place, size in _sizes(primary, target)]
    if forecast is not None:
        written = forecast.wal_bytes
        wal = (wal[0], max(primary.wal_bytes, written))
        sizes = [
            (place, size + min(int((GROWTH - 1) * size), written))
            for place, size in _sizes(primary, target)
        ]
    found = _by_filesystem([*sizes, wal])
    return tuple(_space(sizes, target) for sizes in found)


Sizes = list[tuple[PlaceFacts, int]]
"""Directories of the target, and how many bytes of the primary go into each."""


def _sizes(primary: PrimaryFacts, target: TargetFacts) -> Sizes:
    tablespaces = [
        (target.tablespaces[space.oid], space.size_bytes)
        for space in primary.tablespaces
        if space.oid in target.tablespaces
    ]
    return [(target.data, primary.directory_bytes), *tablespaces]


def _by_filesystem(sizes: Sizes) -> Iterable[Sizes]:
    by_device: dict[int, Sizes] = {}
    for place, size in sizes:
        by_device.setdefault(place.filesystem.device, []).append((place, size))
    return by_device.values()


def _space(sizes: Sizes, target: TargetFacts) -> Space:
    """Add up one filesystem. If there are two copies, only the last good one counts as old data.

    That is the one in place if a server has brought it to consistency, otherwise the one that
    waits in the workspace. The node's own files are not old data: they stay, and some are copied.
    """
    is_sound, access = target.is_sound, target.access
    has_own = any(place is target.data for place, _ in sizes)
    kept, copied = (access.kept_bytes, access.copied_bytes) if has_own else (0, 0)
    places = {place.path: place for place, _ in sizes}.values()
    there = [(place.size_bytes, place.waiting_bytes) for place in places]
    first = sizes[0][0]
    return Space(
        path=first.path,
        needed_bytes=sum(size for _, size in sizes) + copied,
        free_bytes=first.filesystem.free_bytes
        + sum(_copied_bytes(place, target) for place in places)
        + sum(waits if is_sound else here for here, waits in there if waits is not None),
        old_bytes=max(
            0, sum(here if is_sound or waits is None else waits for here, waits in there) - kept
        ),
    )


def _copied_bytes(place: PlaceFacts, target: TargetFacts) -> int:
    """Return how much of an interrupted copy is there: a plan removes it, or goes on from it."""
    return 0 if target.copy is None else target.copy.sizes.get(place.path, 0)


def growth(primary: PrimaryFacts, target: TargetFacts) -> Iterator[Room]:
    """Return the space needed for what the primary has in addition to the target, and for its WAL.

    Replaced data that still waits next to sound data is removed first.
    """
    lacking = list(_lacking(primary, target))
    wal = (target.wal or target.data, primary.wal_bytes)
    for sizes in _by_filesystem([*lacking, wal]):
        first, needed = sizes[0][0], sum(size for _, size in sizes)
        waiting = {place.path: place.waiting_bytes or 0 for place, _ in sizes}
        free = first.filesystem.free_bytes + (sum(waiting.values()) if target.is_sound else 0)
        copied = {place.path: _copied_bytes(place, target) for place, _ in sizes}
        free += sum(copied.values())
        yield Room(first.path, needed, free)


def _lacking(primary: PrimaryFacts, target: TargetFacts) -> Iterator[tuple[PlaceFacts, int]]:
    """Yield how much more the primary has; the node's own files do not make room for it."""
    for place, size in _sizes(primary, target):
        is_data, own = place is target.data, target.access
        there = place.size_bytes - (own.kept_bytes if is_data else 0)
        yield place, max(0, size - there) + (own.copied_bytes if is_data else 0)


def reject_full(name: str, target: TargetFacts) -> Iterator[Rejection]:
    """Report that there is not even enough space to begin."""
    free = target.data.filesystem.free_bytes
    if free < WORKING_BYTES:
        yield Rejection(
            f"no space is left on {name}",
            detail=f"The filesystem of {target.data.path} has {pretty_size(free)} free. Before a "
            "recovery can free anything, it writes files of its own, up to "
            f"{pretty_size(WORKING_BYTES)}.",
            hint="Make room.",
        )


def reject_wal_room(
    name: str,
    primary: PrimaryFacts,
    target: TargetFacts,
    wal_bytes: int,
    *,
    is_from_archive: bool = False,
) -> Iterator[Rejection]:
    """Report that there is no space for the WAL that the node receives until it has caught up.

    The node removes WAL as it proceeds, so it never keeps more than the primary does, or, of what
    it gets from an archive, twice max_wal_size: a file that was replayed stays in its pg_wal until
    a restartpoint removes it (KeepFileRestoredFromArchive in xlogarchive.c), which keeps all since
    the checkpoint before, while the replay goes on. 1.75 times were seen on 15. Files in its pg_wal
    that wait to be recycled make room.
    """
    needed, free = _wal_room(primary, target, wal_bytes, is_from_archive=is_from_archive)
    if needed + WORKING_BYTES > free:
        place = target.wal or target.data
        yield Rejection(
            f"not enough space on {name}",
            detail=f"The filesystem of {place.path} has {pretty_size(free)} free, but the WAL that "
            f"{name} fetches needs about {pretty_size(needed)}.",
            hint="Make room.",
            is_for_space=True,
        )


def spare_wal_bytes(primary: PrimaryFacts, target: TargetFacts, wal_bytes: int) -> int:
    """Return what stays free where the node's pg_wal is while it gets WAL from an archive."""
    needed, free = _wal_room(primary, target, wal_bytes, is_from_archive=True)
    return free - needed - WORKING_BYTES


def _wal_room(
    primary: PrimaryFacts, target: TargetFacts, wal_bytes: int, *, is_from_archive: bool
) -> tuple[int, int]:
    """Return how many bytes the WAL that the node receives needs, and how many are free."""
    place = target.wal or target.data
    most = max(primary.wal_bytes, 2 * primary.max_wal_bytes if is_from_archive else 0)
    needed = max(0, min(wal_bytes, most) - target.access.spare_wal_bytes)
    free = place.filesystem.free_bytes
    if target.is_sound and place.filesystem.device == target.data.filesystem.device:
        free += target.data.waiting_bytes or 0  # That is removed first.
    return needed, free


def reject_growth(name: str, primary: PrimaryFacts, target: TargetFacts) -> Iterator[Rejection]:
    """Report each filesystem on which there is no space for that growth."""
    for room in growth(primary, target):
        if room.needed_bytes > room.free_bytes:
            yield Rejection(
                f"not enough space on {name}",
                detail=f"The filesystem of {room.path} has {pretty_size(room.free_bytes)} free, "
                "but the additional data of the primary and its WAL need about "
                f"{pretty_size(room.needed_bytes)}.",
                hint="Make room.",
                is_for_space=True,
            )


def keeps_old(found: Iterable[Space], policy: KeepOld) -> bool:
    """Return whether the old data stays until the new server runs."""
    return policy is not KeepOld.NEVER and all(space.fits_beside for space in found)


def reject_space(name: str, found: Iterable[Space], policy: KeepOld) -> Iterable[Rejection]:
    """Report each filesystem on which the copy does not fit."""
    for space in found:
        fits = space.fits_beside if policy is KeepOld.ALWAYS else space.fits_instead
        if not fits:
            yield Rejection(
                f"not enough space on {name}",
                detail=_space_text(space, policy),
                hint=_space_hint(space, policy),
                is_for_space=True,
            )


def _space_text(space: Space, policy: KeepOld) -> str:
    text = (
        f"The filesystem of {space.path} has {pretty_size(space.free_bytes)} free, "
        f"but the copy needs about {pretty_size(space.needed_bytes)}"
    )
    if policy is KeepOld.ALWAYS:
        return f"{text} beside the old data."
    return f"{text}; the old data, {pretty_size(space.old_bytes)}, has been counted as free."


def _space_hint(space: Space, policy: KeepOld) -> str:
    if policy is KeepOld.ALWAYS and space.fits_instead:
        return 'Make room, or set keep_old = "when-space-allows" in the settings.'
    return "Make room."
