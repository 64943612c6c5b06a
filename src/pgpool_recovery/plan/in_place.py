"""What the methods that change the data directory itself, or a clone of it, have in common."""

from collections.abc import Iterator, Sequence

from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.access import reject_change, reject_own_files
from pgpool_recovery.facts.backup import Backup
from pgpool_recovery.facts.facts import Tablespace
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.moving import Clone, PutInPlace, Reserve, SwapIn, TakeOut
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.plan.mount import reject_layered, reject_mounts_inside
from pgpool_recovery.plan.plan import OldData
from pgpool_recovery.plan.refusal import reject_foreign, reject_replacement
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.space import Room, growth, reject_growth

MAX_FAILED_STARTS = 2


def in_place_steps(
    situation: Situation,
    changes: Sequence[Step],
    *,
    hold_from: Point | None = None,
    backup: Backup | None = None,
    restore_command: str | None = None,
) -> tuple[Step, ...]:
    """Return the steps around the changes: on a clone where one costs nothing, else in place."""
    places = situation.places
    begin: list[Step] = [
        Reserve(places),
        situation.slot_step(hold_from=hold_from),
        *situation.waiting_steps(),
    ]
    if changes_clone(situation):
        configure = situation.configure(places, restore_command=restore_command)
        configure = replace(configure, backup=backup)
        return (*begin, Clone(places), *changes, configure, SwapIn(places))
    taking = [] if situation.is_taken_out else [TakeOut(places.in_place())]
    own = places.in_place()
    configure = situation.configure(own, restore_command=restore_command)
    configure = replace(configure, backup=backup)
    return (*begin, *taking, *changes, configure, PutInPlace(own))


def changes_clone(situation: Situation) -> bool:
    """Return whether a clone is changed while the old data stays unchanged.

    The clone is swapped in part by part, so each part must be one that a full copy could replace.
    Each part must also belong to the data directory: a WAL directory that only the settings name
    has nothing to clone. What the clone replaces waits in the workspace, so nothing may be waiting
    there yet: a copy that never became consistent, with the old data still waiting, is changed
    itself.
    """
    target = situation.facts.target
    is_cloneable = (
        target.can_clone
        and not situation.is_taken_out
        and (target.is_sound or not target.old_waits)
        and (target.wal is None or target.wal.is_own)
    )
    return is_cloneable and not any(reject_replacement(situation.name, target))


def locations(situation: Situation) -> dict[int, str]:
    """Return where each tablespace of the primary is while the directory is changed, by OID."""
    is_clone = changes_clone(situation)
    return {
        space.oid: space.copy_location if is_clone else space.location
        for space in situation.places.tablespaces
    }


def old_data(situation: Situation) -> OldData:
    """Return what happens to the old data."""
    if situation.is_taken_out:
        return OldData.HALF
    if not situation.facts.target.is_data_directory:
        return OldData.NONE
    return OldData.STAYS if changes_clone(situation) else OldData.CHANGED


def room_to_grow(situation: Situation) -> tuple[Room, ...]:
    """Return the space that the growth of the directory needs."""
    return tuple(growth(situation.facts.primary, situation.facts.target))


def new_tablespaces(situation: Situation) -> tuple[Tablespace, ...]:
    """Return the tablespaces of the primary that the target's directory does not have."""
    known = situation.facts.target.linked_tablespaces
    return tuple(space for space in situation.facts.primary.tablespaces if space.oid not in known)


def reject_replay(situation: Situation) -> Iterator[Rejection]:
    """Report the tablespaces that replay and pg_rewind would create in the wrong location.

    Both create a tablespace where the primary has it, even in a directory that is already in use
    (create_tablespace_directories in tablespace.c). On the primary's own host that is the primary's
    directory.
    """
    places = {space.oid: space.location for space in situation.places.tablespaces}
    for space in new_tablespaces(situation):
        if places[space.oid] != space.location:
            yield Rejection(
                f"tablespace {space.location} would be created on {situation.name} where the "
                "primary has it",
                detail=f"It is new to the node, where it belongs in {places[space.oid]}.",
            )


def reject_untrusted(situation: Situation) -> Iterator[Rejection]:
    """Report that methods which keep the data have already failed too often."""
    failed = situation.facts.target.failed_starts
    if failed >= MAX_FAILED_STARTS:
        yield Rejection(
            f"the server of {situation.name} has failed {failed} times after its last recoveries",
            detail="Its data cannot be trusted.",
        )


def reject_in_place(situation: Situation) -> Iterator[Rejection]:
    """Report what prevents the directory from being changed in place."""
    name, target, primary = situation.name, situation.facts.target, situation.facts.primary
    new = [target.tablespaces[s.oid] for s in primary.tablespaces if s.oid in target.tablespaces]
    yield from reject_mounts_inside(name, target)
    yield from reject_layered(name, target.hostname, [target.data])
    yield from reject_foreign(name, new)
    for location in target.moved_tablespaces:
        yield Rejection(
            f"the settings give tablespace {location} of {name} another directory",
            detail="Only a full copy moves it there.",
        )
    yield from reject_own_files(name, target.access)
    yield from reject_change(name, target.access)
    yield from reject_growth(name, primary, target)
