"""The method catch-up: the node's data is in the primary's past, and the WAL since then exists."""

from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.access import reject_settings
from pgpool_recovery.facts.facts import PrimaryFacts, TargetFacts
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step import PutInPlace, Reserve, Step
from pgpool_recovery.plan.held_wal import notes_on_limit
from pgpool_recovery.plan.in_place import new_tablespaces, reject_replay, reject_untrusted
from pgpool_recovery.plan.past import first_unkept, keep_to_past, reject_unproven
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.space import reject_wal_room


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for a node that only needs WAL, or why it needs more."""
    rejections = situation.reject_relation() or [
        *reject_unproven(situation),
        *(reject_wal(situation) or reject_wal_room(*_room(situation))),
        *reject_settings(situation.name, situation.facts.target.access, _directory(situation)),
        *reject_replay(situation),
        *reject_untrusted(situation),
    ]
    if rejections:
        return tuple(rejections)
    places, needed = situation.places, needed_segment(situation)
    begin = situation.wal.begin_of(needed)
    steps: list[Step] = [Reserve(places), situation.slot_step(hold_from=begin)]
    steps += situation.waiting_steps()
    steps += keep_to_past(situation, _directory(situation), situation.follows.base.redo)
    if situation.is_taken_out:
        steps += [situation.configure(places.in_place()), PutInPlace(places.in_place())]
    else:
        new = tuple(space.location for space in new_tablespaces(situation))
        steps.append(replace(situation.repoint(), new_locations=new))
    return Plan(
        target_name=situation.name,
        method=Method.CATCH_UP,
        summary="only WAL",
        slot_name=situation.target.slot_name,
        moved_bytes=situation.wal.bytes_since(begin.lsn),
        old_data=OldData.OUT if situation.is_taken_out else OldData.KEPT,
        steps=tuple(steps),
        needed_segment=needed,
        notes=notes_on_limit(situation, needed),
    )


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


def needed_segment(situation: Situation) -> int:
    """Return the first WAL segment that the node will request from the primary.

    Its recovery begins at REDO, which may be before the position that it had replayed up to.
    """
    local, size = situation.facts.target.local_wal, situation.wal.segment_bytes
    base = situation.follows.base
    needed = base.redo.lsn // size if local is None else local.needed(size)
    unkept = first_unkept(situation)
    return needed if unkept is None else min(needed, unkept)


def reject_wal(situation: Situation) -> list[Rejection]:
    """Return why the primary cannot send all the WAL that the node lacks; empty if it can."""
    wal, needed = situation.wal, needed_segment(situation)
    if wal.has(needed):
        return []
    return [
        Rejection(
            f"the primary no longer has the WAL that {situation.name} needs, which begins at "
            f"{wal.begin_of(needed)}",
            detail=f"Its oldest WAL begins at {wal.begin_of(wal.oldest_segment)}.",
            hint="wal_keep_size, or a replication slot of the node, would have kept it.",
        )
    ]
