"""The method basebackup: a full copy, prepared next to the old data and swapped in."""

from collections.abc import Iterator

from pgpool_recovery.domain.synchronous import parse_standby_names
from pgpool_recovery.facts.access import reject_own_files, reject_source
from pgpool_recovery.facts.facts import TargetFacts
from pgpool_recovery.facts.policy import KeepOld, Method, Verify
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.moving import PutOldBack, RemoveOld, Reserve, SwapIn
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.facts.step.transfer import CopyBaseBackup
from pgpool_recovery.plan.compression import compression, workers
from pgpool_recovery.plan.duration import duration_of
from pgpool_recovery.plan.meanwhile import Meanwhile, meanwhile
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.refusal import reject_replacement
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.source import choose_source
from pgpool_recovery.plan.space import Space, keeps_old, reject_space, spaces


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for a full copy, or every reason why it is not possible."""
    reading = choose_source(situation)
    rejections = (*_reject(situation), *reading.rejections)
    if rejections:
        return rejections
    places, copy_bytes = situation.places, situation.facts.primary.copy_bytes
    old_data = old_data_of(situation)
    copy = CopyBaseBackup(
        bin_directory=situation.bin_directory,
        conninfo=reading.conninfo(situation),
        slot_name=situation.target.slot_name,
        places=places,
        max_rate=situation.policy.max_rate,
        compression=compression(situation),
        size_bytes=copy_bytes,
        segment_bytes=situation.wal.segment_bytes,
        streams_by_slot=not _would_be_synchronous(situation),
        source=reading.node,
        wal_conninfo=None if reading.source is None else situation.conninfo,
        workers=workers(situation),
        verifies_pages=situation.policy.verify is Verify.PAGES,
        system_identifier=situation.facts.primary.system_identifier,
    )
    return Plan(
        target_name=situation.name,
        method=Method.BASEBACKUP,
        summary=f"a full copy{reading.whence}",
        slot_name=situation.target.slot_name,
        moved_bytes=copy_bytes,
        work_bytes=copy_bytes,
        old_data=old_data,
        steps=steps_beside(situation, copy),
        needs=tuple(
            space.room(is_freed=old_data is OldData.GOES) for space in spaces_of(situation)
        ),
        forecast=_forecast(situation),
        notes=reading.notes,
        source=reading.node_id,
    )


def steps_beside(situation: Situation, copy: Step, *, keeps_copy: bool = False) -> tuple[Step, ...]:
    """Return the steps around what makes a copy beside the old data."""
    places = situation.places
    is_removed = old_data_of(situation) is OldData.GOES
    return (
        Reserve(places, keeps_copy=keeps_copy),
        situation.slot_step(),
        *_steps_before(situation),
        *([RemoveOld(places, old_bytes(situation))] if is_removed else []),
        copy,
        situation.configure(places),
        SwapIn(places),
    )


def _forecast(situation: Situation) -> Meanwhile | None:
    size = situation.facts.primary.copy_bytes
    known = duration_of(situation, Method.BASEBACKUP, size)
    return meanwhile(situation.facts, situation.policy, size, known)


def spaces_of(situation: Situation) -> tuple[Space, ...]:
    """Return the space that a copy needs, with the WAL that is written meanwhile."""
    facts = situation.facts
    return spaces(facts.primary, facts.target, _forecast(situation))


def _would_be_synchronous(situation: Situation) -> bool:
    """Return whether commits would wait for the copy; `*` matches every WAL receiver.

    pg_receivewal flushes only at the end of a segment (HandleCopyStream in receivelog.c), so each
    commit would wait for 16 MB of WAL, or for the end of the copy.
    """
    awaited = parse_standby_names(situation.facts.primary.synchronous_standby_names)
    return awaited.has(situation.target.slot_name)


def _reject(situation: Situation) -> Iterator[Rejection]:
    yield from reject_source(situation.facts.primary.access)
    yield from reject_beside(situation)


def reject_beside(situation: Situation) -> Iterator[Rejection]:
    """Report what prevents a copy from being made beside the data and put into its place."""
    target = situation.facts.target
    yield from reject_replacement(situation.name, target)
    if _has_old(target):
        yield from reject_own_files(situation.name, target.access)
    yield from reject_space(situation.name, spaces_of(situation), _keep_old(situation))


def old_data_of(situation: Situation) -> OldData:
    """Return what becomes of the old data, which stays if there is space."""
    target = situation.facts.target
    if not _has_old(target):
        return OldData.NONE
    found = spaces_of(situation)
    return OldData.STAYS if keeps_old(found, _keep_old(situation)) else OldData.GOES


def old_bytes(situation: Situation) -> int:
    """Return the size of the old data."""
    return sum(place.size_bytes for place in situation.facts.target.places())


def _keep_old(situation: Situation) -> KeepOld:
    """Return the policy, except that half-changed data is worthless and makes room."""
    return KeepOld.NEVER if situation.is_taken_out else situation.policy.keep_old


def _has_old(target: TargetFacts) -> bool:
    return target.is_data_directory or target.old_waits


def _steps_before(situation: Situation) -> list[Step]:
    """Return the step that keeps the last good copy of two, if an earlier recovery left two."""
    target, places = situation.facts.target, situation.places
    if not target.old_waits:
        return []
    return [situation.discard_waiting()] if target.is_sound else [PutOldBack(places)]
