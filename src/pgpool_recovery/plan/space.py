"""How much room a full copy needs beside the old data, and what to do when there is less."""

from collections.abc import Iterable
from dataclasses import dataclass

from pgpool_recovery.domain.event import megabytes
from pgpool_recovery.plan.facts import PlaceFacts, PrimaryFacts, TargetFacts
from pgpool_recovery.plan.policy import KeepOld
from pgpool_recovery.plan.rejection import Rejection

GROWTH = 1.05
"""Room for what is written while the copy runs; the sizes themselves are the server's."""


@dataclass(frozen=True)
class Space:
    """Bytes on one filesystem of the target."""

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


def spaces(primary: PrimaryFacts, target: TargetFacts) -> tuple[Space, ...]:
    """Return what is needed and what is there, for each filesystem of the target."""
    sizes: list[tuple[PlaceFacts, int]] = [(target.data, primary.data_bytes)]
    sizes.append((target.wal or target.data, primary.wal_bytes))
    sizes += [
        (target.tablespaces[tablespace.oid], tablespace.size_bytes)
        for tablespace in primary.tablespaces
        if tablespace.oid in target.tablespaces
    ]
    places = {place.path: place for place, _ in sizes}
    by_device: dict[int, list[PlaceFacts]] = {}
    for place in places.values():
        by_device.setdefault(place.filesystem.device, []).append(place)
    is_sound = target.is_sound
    return tuple(_space(on_device, sizes, is_sound=is_sound) for on_device in by_device.values())


def _space(
    on_device: list[PlaceFacts], sizes: Iterable[tuple[PlaceFacts, int]], *, is_sound: bool
) -> Space:
    """Count; of two copies that are there, only the last good one is worth its space.

    That is the one in place when the node's server has run it well, else the one that waits.
    """
    paths = [place.path for place in on_device]
    there = [(place.size_bytes, place.waiting_bytes) for place in on_device]
    return Space(
        path=paths[0],
        needed_bytes=int(GROWTH * sum(size for place, size in sizes if place.path in paths)),
        free_bytes=on_device[0].filesystem.free_bytes
        + sum(waits if is_sound else here for here, waits in there if waits is not None),
        old_bytes=sum(here if is_sound or waits is None else waits for here, waits in there),
    )


def keeps_old(found: Iterable[Space], policy: KeepOld) -> bool:
    """Say whether the old data stays until the new one runs."""
    return policy is not KeepOld.NEVER and all(space.fits_beside for space in found)


def reject_space(name: str, found: Iterable[Space], policy: KeepOld) -> Iterable[Rejection]:
    """Say where the copy does not fit."""
    for space in found:
        fits = space.fits_beside if policy is KeepOld.ALWAYS else space.fits_instead
        if not fits:
            yield Rejection(
                f"not enough space on {name}",
                detail=_space_text(space, policy),
                hint=_space_hint(space, policy),
            )


def _space_text(space: Space, policy: KeepOld) -> str:
    text = (
        f"The filesystem of {space.path} has {megabytes(space.free_bytes)} free, "
        f"the copy needs about {megabytes(space.needed_bytes)}"
    )
    if policy is KeepOld.ALWAYS:
        return f"{text} beside the old data."
    return f"{text}; the old data, {megabytes(space.old_bytes)}, has been counted as free."


def _space_hint(space: Space, policy: KeepOld) -> str:
    if policy is KeepOld.ALWAYS and space.fits_instead:
        return 'Make room, or set keep_old = "when-space-allows" in the settings.'
    return "Make room."
