"""The method delta: only the blocks that differ, found by comparing all files with the primary's.

No history, summary or checksum has to be trusted, and no WAL be there: whatever the directory holds
is compared, and ends as what a base backup would have brought. So it is for data that no other
method can use: diverged, half changed, of an old major. PostgreSQL 14 and later.
"""

from collections.abc import Iterator

from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.access import reject_source
from pgpool_recovery.facts.policy import KeepOld, Method, Verify
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.transfer import Delta
from pgpool_recovery.plan.basebackup import (
    old_data_of,
    reject_beside,
    spaces_of,
    steps_beside,
)
from pgpool_recovery.plan.duration import duration_of
from pgpool_recovery.plan.in_place import (
    changes_clone,
    in_place_steps,
    locations,
    old_data,
    reject_in_place,
    room_to_grow,
)
from pgpool_recovery.plan.meanwhile import (
    Meanwhile,
    meanwhile,
    notes_on_kept_wal,
    reject_kept_wal,
)
from pgpool_recovery.plan.partial_copy import is_usable
from pgpool_recovery.plan.past import after_changes
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.source import Reading, choose_source


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for a comparison of all blocks, or why it is not possible."""
    reading = choose_source(situation)
    if is_usable(situation):
        made = _whole(situation, reading)
        if isinstance(made, Plan):
            return made
    rejections = (*_reject(situation), *reading.rejections)
    if rejections:
        return rejections
    return Plan(
        target_name=situation.name,
        method=Method.DELTA,
        summary=f"the blocks that differ{reading.whence}, and WAL",
        slot_name=situation.target.slot_name,
        moved_bytes=None,
        work_bytes=situation.facts.primary.copy_bytes,
        old_data=old_data(situation),
        needs=room_to_grow(situation),
        steps=in_place_steps(situation, [delta_step(situation), *after_changes(situation)]),
        notes=(
            _what_is_read(situation, reading),
            *reading.notes,
            *notes_on_kept_wal(situation.facts.primary, _forecast(situation)),
        ),
        forecast=_forecast(situation),
        source=reading.node_id,
    )


def _whole(situation: Situation, reading: Reading) -> Plan | tuple[Rejection, ...]:
    """Return the plan that goes on from what an interrupted full copy left, or why none can."""
    copy = situation.facts.target.copy
    rejections = (*_reject_read(situation), *reject_beside(situation), *reading.rejections)
    if rejections or copy is None:
        return rejections
    places = situation.places
    step = replace(
        delta_step(situation),
        locations={space.oid: space.copy_location for space in places.tablespaces},
        is_whole=True,
    )
    old_data, forecast = old_data_of(situation), _forecast(situation)
    is_freed = old_data is OldData.GOES
    return Plan(
        target_name=situation.name,
        method=Method.DELTA,
        summary=f"what an interrupted copy lacks; it had copied {pretty_size(copy.size_bytes)}",
        slot_name=situation.target.slot_name,
        moved_bytes=max(0, situation.facts.primary.copy_bytes - copy.size_bytes),
        work_bytes=situation.facts.primary.copy_bytes,
        old_data=old_data,
        needs=tuple(space.room(is_freed=is_freed) for space in spaces_of(situation)),
        steps=steps_beside(situation, step, keeps_copy=True),
        notes=(
            _what_is_read(situation, reading),
            *reading.notes,
            *notes_on_kept_wal(situation.facts.primary, forecast),
        ),
        forecast=forecast,
        source=reading.node_id,
    )


def _forecast(situation: Situation) -> Meanwhile | None:
    """Return the forecast: all files are read, and what differs is sent, as far as it is known."""
    facts, policy = situation.facts, situation.policy
    known = duration_of(situation, Method.DELTA, facts.primary.copy_bytes)
    unsent = replace(facts, link_bytes_per_s=None)
    reading = meanwhile(unsent, policy, facts.primary.copy_bytes, known)
    sending = meanwhile(facts, policy, facts.changed_bytes)
    found = [one for one in (reading, sending) if one is not None]
    return max(found, key=lambda one: one.seconds, default=None)


def delta_step(situation: Situation) -> Delta:
    """Return the step that writes what differs from the primary's files."""
    return Delta(
        places=situation.places,
        bin_directory=situation.bin_directory,
        system_identifier=situation.facts.primary.system_identifier,
        slot_name=situation.target.slot_name,
        locations=locations(situation),
        max_rate=situation.policy.max_rate,
        workers=situation.policy.workers,
        verifies_pages=situation.policy.verify is Verify.PAGES,
        source=choose_source(situation).node,
        block_hash=situation.policy.block_hash,
    )


def _what_is_read(situation: Situation, reading: Reading) -> str:
    """Return the note about what is read, which is not known from what is moved."""
    size, rate = situation.facts.primary.copy_bytes, situation.policy.max_rate
    what = f"about {pretty_size(size)} is read on {reading.server} and on {situation.name}"
    if rate is None:
        return f"{what}, in the background, without a limit (max_rate)"
    return f"{what}, at most {rate} per second (max_rate)"


def _reject(situation: Situation) -> Iterator[Rejection]:
    yield from _reject_data(situation)
    if situation.policy.keep_old is KeepOld.ALWAYS and not _keeps_old(situation):
        yield Rejection(
            f"it would change the only copy of the data of {situation.name}",
            detail='keep_old is "always", and a full copy leaves the old data alone.',
        )
    yield from _reject_read(situation)
    yield from reject_in_place(situation)


def _reject_read(situation: Situation) -> Iterator[Rejection]:
    """Report what prevents the primary's files from being read."""
    primary = situation.facts.primary
    if not primary.can_back_up:
        yield Rejection(
            "the role of the recovery may not call pg_backup_start on the primary",
            hint="Grant it EXECUTE on pg_backup_start and pg_backup_stop.",
        )
    yield from reject_source(primary.access, by_delta=True)
    yield from reject_kept_wal(primary, _forecast(situation))


def _keeps_old(situation: Situation) -> bool:
    """Return whether the old data stays; data that is half changed is of no use."""
    return changes_clone(situation) or situation.is_taken_out


def _reject_data(situation: Situation) -> Iterator[Rejection]:
    """Report if there is nothing to compare with, or nothing that shows that it is the cluster's.

    What an interrupted run left in the workspace is the cluster's: a plan had checked it.
    """
    target = situation.facts.target
    is_known = target.control is not None or target.marked_identifier is not None
    if not target.is_data_directory:
        yield Rejection(f"{situation.name} has no data")
    elif not is_known and not situation.is_taken_out:
        yield Rejection(f"{situation.name} has no control file")
