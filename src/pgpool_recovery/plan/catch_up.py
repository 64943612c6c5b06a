"""The method catch-up: the node's data is in the primary's past, and the WAL since then exists."""

from typing import TYPE_CHECKING

from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.access import reject_settings
from pgpool_recovery.facts.archived_wal import FromArchive
from pgpool_recovery.facts.facts import PrimaryFacts, TargetFacts
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.moving import PutInPlace, Reserve
from pgpool_recovery.plan.fetch_ahead import fetch_ahead, notes_on_ahead
from pgpool_recovery.plan.from_archive import (
    Gap,
    from_archive,
    gap_from,
    needed_segment,
    notes_on_source,
    reject_unproven_over,
    set_command,
)
from pgpool_recovery.plan.held_wal import notes_on_limit
from pgpool_recovery.plan.in_place import new_tablespaces, reject_replay, reject_untrusted
from pgpool_recovery.plan.past import keep_to_past
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.space import reject_wal_room, spare_wal_bytes

if TYPE_CHECKING:
    from pgpool_recovery.facts.step.step import Step


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for a node that only needs WAL, or why it needs more."""
    rejections = situation.reject_relation()
    if rejections:
        return tuple(rejections)
    archive = _archive(situation)
    rejections = [
        *reject_unproven_over(situation, _gap(situation)),
        *(
            reject_wal(situation, archive)
            or reject_wal_room(*_room(situation), is_from_archive=archive is not None)
        ),
        *reject_settings(situation.name, situation.facts.target.access, _directory(situation)),
        *reject_replay(situation),
        *reject_untrusted(situation),
    ]
    if rejections or isinstance(archive, tuple):
        return tuple(rejections)
    return _plan(situation, archive)


def _plan(situation: Situation, archive: FromArchive | None) -> Plan:
    places, needed = situation.places, needed_segment(situation)
    held = needed if archive is None else archive.next_segment
    redo = situation.follows.base.redo
    steps: list[Step] = [
        Reserve(places),
        situation.slot_step(hold_from=situation.wal.begin_of(held)),
        *situation.waiting_steps(),
        *keep_to_past(situation, _directory(situation), redo, archive=archive),
    ]
    command = set_command(archive)
    ahead = fetch_ahead(situation, archive, spare_wal_bytes(*_room(situation)[1:]))
    if situation.is_taken_out:
        own = places.in_place()
        steps += [situation.configure(own, restore_command=command), PutInPlace(own)]
    else:
        new = tuple(space.location for space in new_tablespaces(situation))
        steps.append(replace(situation.repoint(), new_locations=new, restore_command=command))
    moved_bytes = situation.wal.bytes_since(situation.wal.begin_of(needed).lsn)
    return Plan(
        target_name=situation.name,
        method=Method.CATCH_UP,
        summary="only WAL" + ("" if archive is None else ", from the archive"),
        slot_name=situation.target.slot_name,
        moved_bytes=moved_bytes,
        work_bytes=moved_bytes,
        old_data=OldData.OUT if situation.is_taken_out else OldData.KEPT,
        steps=tuple(steps),
        needed_segment=held,
        notes=(
            *(() if archive is None else notes_on_source(situation, archive)),
            *notes_on_ahead(ahead),
            *notes_on_limit(situation, held),
        ),
        from_archive=archive,
        fetch_ahead=ahead,
    )


def _archive(situation: Situation) -> FromArchive | tuple[Rejection, ...] | None:
    """Return the archive that the node needs, or why none helps; None if it needs none."""
    gap = _gap(situation)
    return None if gap is None else from_archive(situation, gap)


def _gap(situation: Situation) -> Gap | None:
    return gap_from(needed_segment(situation), situation.wal)


def _directory(situation: Situation) -> str:
    """Return the path at which the data is now."""
    data = situation.places.data
    return data.new if situation.is_taken_out else data.path


def _room(situation: Situation) -> tuple[str, PrimaryFacts, TargetFacts, int]:
    """Return the arguments of `reject_wal_room`: the WAL is that which the node lacks.

    It is counted in whole segments, up to and including the one that the primary writes.
    """
    facts, wal = situation.facts, situation.wal
    local, first = facts.target.local_wal, needed_segment(situation)
    missing = first if local is None else max(first, local.missing)
    segments = max(0, wal.written // wal.segment_bytes + 1 - missing)
    return situation.name, facts.primary, facts.target, segments * wal.segment_bytes


def reject_wal(
    situation: Situation, archive: FromArchive | tuple[Rejection, ...] | None
) -> list[Rejection]:
    """Return why neither the primary nor an archive has all the WAL that the node lacks."""
    if not isinstance(archive, tuple):
        return []
    wal = situation.wal
    return [
        Rejection(
            f"the primary no longer has the WAL that {situation.name} needs, which begins at "
            f"{wal.begin_of(needed_segment(situation))}",
            detail=f"Its oldest WAL begins at {wal.begin_of(wal.oldest_segment)}.",
            hint="wal_keep_size, or a replication slot of the node, would have kept it.",
        ),
        *archive,
    ]
