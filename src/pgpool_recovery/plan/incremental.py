"""The method incremental: only the blocks that changed, from the server's own incremental backup.

It is applied to the data directory itself. PostgreSQL 17 and later.
"""

from collections.abc import Iterator

from pgpool_recovery.facts.access import reject_source
from pgpool_recovery.facts.facts import Base
from pgpool_recovery.facts.policy import Method, Verify
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.transfer import Incremental
from pgpool_recovery.plan.compression import compression, workers
from pgpool_recovery.plan.duration import duration_of
from pgpool_recovery.plan.in_place import (
    in_place_steps,
    locations,
    old_data,
    reject_in_place,
    reject_untrusted,
    room_to_grow,
)
from pgpool_recovery.plan.meanwhile import (
    Meanwhile,
    meanwhile,
    notes_on_kept_wal,
    reject_kept_wal,
)
from pgpool_recovery.plan.past import after_changes, reject_unproven
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.situation import Situation

OLDEST_MAJOR = 17


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for an incremental base backup, or why it is not possible."""
    rejections = tuple(_reject(situation))
    if rejections:
        return rejections
    forecast = _forecast(situation)
    return Plan(
        target_name=situation.name,
        method=Method.INCREMENTAL,
        summary="the blocks that changed, and WAL",
        slot_name=situation.target.slot_name,
        moved_bytes=situation.facts.changed_bytes,
        work_bytes=situation.facts.changed_bytes,
        old_data=old_data(situation),
        needs=room_to_grow(situation),
        forecast=forecast,
        notes=tuple(notes_on_kept_wal(situation.facts.primary, forecast)),
        steps=in_place_steps(situation, [incremental_step(situation), *after_changes(situation)]),
    )


def _forecast(situation: Situation) -> Meanwhile | None:
    size = situation.facts.changed_bytes
    known = duration_of(situation, Method.INCREMENTAL, size)
    return meanwhile(situation.facts, situation.policy, size, known)


def incremental_step(situation: Situation) -> Incremental:
    """Return the step that writes what changed since the directory's base."""
    return Incremental(
        places=situation.places,
        bin_directory=situation.bin_directory,
        conninfo=situation.conninfo,
        slot_name=situation.target.slot_name,
        timelines=situation.wal.history.timelines,
        segment_bytes=situation.wal.segment_bytes,
        locations=locations(situation),
        max_rate=situation.policy.max_rate,
        verifies_pages=situation.policy.verify is Verify.PAGES,
        compression=compression(situation),
        workers=workers(situation),
    )


def _reject(situation: Situation) -> Iterator[Rejection]:
    primary, resumable = situation.facts.primary, situation.facts.target.resumable
    if resumable is None:
        yield from situation.reject_relation()
    else:
        yield from _reject_resumable(situation, resumable)
    yield from reject_unproven(situation)
    if primary.major < OLDEST_MAJOR:
        yield Rejection(
            f"PostgreSQL {primary.major} has no incremental base backups",
            detail=f"PostgreSQL {OLDEST_MAJOR} and later have them.",
        )
    elif not situation.wal.is_summarized:
        yield Rejection(
            "the primary does not summarize its WAL",
            hint="For the next time, set summarize_wal = on on every node.",
        )
    elif situation.facts.summaries is not None:
        yield situation.facts.summaries
    yield from reject_source(primary.access)
    yield from reject_in_place(situation)
    yield from reject_untrusted(situation)
    yield from reject_kept_wal(primary, _forecast(situation))


def _reject_resumable(situation: Situation, base: Base) -> Iterator[Rejection]:
    """Report if what an interrupted run wrote may be from after the fork."""
    history = situation.wal.history
    if not (history.has(base.redo) and history.has(base.end)):
        yield Rejection(
            f"the data of {situation.name} was left half changed",
            detail=f"That was on timeline {base.end.timeline}, which the primary is no longer on.",
        )
