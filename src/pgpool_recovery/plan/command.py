"""The method command: a program of the user's makes the data directory, and it is checked."""

from collections.abc import Iterator

from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.access import reject_own_files
from pgpool_recovery.facts.facts import TargetFacts
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.policy import KeepOld, Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.moving import DiscardWaiting, PutOldBack, Reserve, SwapIn
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.facts.step.transfer import CheckMade, RunCommand
from pgpool_recovery.plan.in_place import (
    changes_clone,
    in_place_steps,
    locations,
    old_data,
    reject_in_place,
    room_to_grow,
)
from pgpool_recovery.plan.plan import OldData, PassedOver, Plan
from pgpool_recovery.plan.refusal import reject_replacement
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.space import reject_space, spaces

NOT_CONFIGURED = Rejection(
    "no command of your own is configured", hint="Set command in a table [method.NAME]."
)
"""Not worth mentioning to a user who has no such command and did not ask for one."""


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for the first command that is possible, or why none is."""
    rejections: list[Rejection] = []
    for method in situation.facts.own_methods:
        found = tuple(_reject(situation, method))
        if not found:
            over = (PassedOver(Method.COMMAND, tuple(rejections)),) if rejections else ()
            return replace(_plan(situation, method), passed_over=over)
        rejections += [_of(method, rejection) for rejection in found]
    return tuple(rejections) or (NOT_CONFIGURED,)


def _of(method: OwnMethod, rejection: Rejection) -> Rejection:
    return replace(rejection, message=f"{method.name}: {rejection.message}")


def _plan(situation: Situation, method: OwnMethod) -> Plan:
    where = situation.facts.target.hostname
    return Plan(
        target_name=situation.name,
        method=Method.COMMAND,
        summary=f"method {method.name}, which runs {method.command[0]} on {where}; "
        "how much that moves is not known",
        slot_name=situation.target.slot_name,
        moved_bytes=None,
        old_data=old_data(situation) if method.keep_data else _old_data(situation.facts.target),
        needs=room_to_grow(situation)
        if method.keep_data
        else tuple(
            space.room(is_freed=False)
            for space in spaces(situation.facts.primary, situation.facts.target)
        ),
        steps=_steps(situation, method),
        own=method.name,
    )


def _steps(situation: Situation, method: OwnMethod) -> tuple[Step, ...]:
    places = situation.places
    is_apart = not method.keep_data or changes_clone(situation)
    wal = None if places.wal is None else places.wal.new if is_apart else places.wal.path
    run = RunCommand(
        places=places,
        bin_directory=situation.bin_directory,
        method=method,
        node=situation.name,
        conninfo=situation.conninfo,
        slot_name=situation.target.slot_name,
        system_identifier=situation.facts.primary.system_identifier,
        major=situation.facts.primary.major,
        locations=locations(situation)
        if method.keep_data
        else {space.oid: space.copy_location for space in places.tablespaces},
        wal_directory=wal,
    )
    made: list[Step] = [run, CheckMade(places, method, situation.conninfo)]
    if method.keep_data:
        return in_place_steps(situation, made)
    waiting = _waiting_steps(situation)
    begin = [Reserve(places), situation.slot_step(), *waiting]
    return (*begin, *made, situation.configure(places), SwapIn(places))


def _waiting_steps(situation: Situation) -> list[Step]:
    """Return the step that keeps the last good copy of two, if an earlier recovery left two."""
    target, places = situation.facts.target, situation.places
    if not target.old_waits:
        return []
    return [DiscardWaiting(places)] if target.is_sound else [PutOldBack(places)]


def _old_data(target: TargetFacts) -> OldData:
    return OldData.STAYS if _has_old(target) else OldData.NONE


def _has_old(target: TargetFacts) -> bool:
    return target.is_data_directory or target.old_waits


def _reject(situation: Situation, method: OwnMethod) -> Iterator[Rejection]:
    name, target = situation.name, situation.facts.target
    if method.problem is not None:
        yield Rejection(
            f"{method.command[0]} cannot be run on {target.hostname}", detail=method.problem
        )
    if method.keep_data:
        yield from reject_in_place(situation)
        return
    if situation.is_taken_out:
        yield Rejection(
            f"the data of {name} was left half changed where the command would work",
            hint="Set keep_data if the command can go on from such data.",
        )
        return
    yield from reject_replacement(name, target)
    if _has_old(target):
        yield from reject_own_files(name, target.access)
    found = spaces(situation.facts.primary, target)
    for rejection in reject_space(name, found, KeepOld.ALWAYS):
        yield replace(rejection, hint="Make room.")
