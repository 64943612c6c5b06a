"""Whether what a command has made can become a standby of the primary, and how."""

from collections.abc import Iterator

from pgpool_recovery.domain.control_data import IN_ARCHIVE_RECOVERY
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.wal import Point, lsn_text
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.standby import KeepToPast
from pgpool_recovery.facts.step.transfer import CheckMade
from pgpool_recovery.plan.catch_up import reject_wal
from pgpool_recovery.plan.divergence import Copied, Diverged
from pgpool_recovery.plan.from_archive import needed_segment
from pgpool_recovery.plan.past import keep_to_past, reject_unproven
from pgpool_recovery.plan.situation import Situation

LABEL_ADVICE = (
    "Have the command copy or take its snapshot between pg_backup_start() and pg_backup_stop(), "
    "and write what the latter returns to backup_label."
)


@record
class Accepted:
    """What is to be done about a directory that is accepted, and where its WAL begins."""

    steps: tuple[KeepToPast, ...]
    begin: Point


def judge(
    situation: Situation, step: CheckMade, end: Point | None
) -> Accepted | tuple[Rejection, ...]:
    """Return how what a command has made becomes a standby of the primary, or why it cannot.

    The facts about the target in `situation` are those of the directory that was made. `end` is
    where its base backup ended, if that is known: with it, a backup from before a failover can be
    judged like one of a standby (plan/divergence.py).
    """
    target, made = situation.facts.target, f"what method {step.method.name} has made"
    strangers = tuple(_reject_stranger(situation, made))
    if strangers:
        return strangers
    if target.control is not None and target.has_backup_label and end is not None:
        control = replace(target.control, state=IN_ARCHIVE_RECOVERY, minimum_end=end)
        target = replace(target, control=control)
        situation = replace(situation, facts=replace(situation.facts, target=target))
    relation = situation.relation
    if isinstance(relation, Diverged | Copied):
        return (Rejection(f"{made} is not of the primary's past", detail=relation.why),)
    lacking = None if situation.wal.has(needed_segment(situation)) else ()
    rejections = (*reject_unproven(situation), *reject_wal(situation, lacking))
    if rejections:
        return tuple(
            replace(rejection, message=f"{made} cannot be used: {rejection.message}")
            for rejection in rejections
        )
    directory = step.places.data.new
    kept = keep_to_past(situation, directory, situation.follows.base.redo)
    begin = situation.wal.begin_of(needed_segment(situation))
    return Accepted(tuple(replace(one, places=step.places) for one in kept), begin)


def _reject_stranger(situation: Situation, made: str) -> Iterator[Rejection]:
    """Report what cannot be a copy of the primary at all; the first reason is enough."""
    target, primary = situation.facts.target, situation.facts.primary
    control = target.control
    if control is None:
        yield Rejection(f"{made} has no control file")
    elif control.system_identifier != primary.system_identifier:
        yield Rejection(
            f"{made} is of another cluster",
            detail=f"Its system identifier is {control.system_identifier}, the primary's is "
            f"{primary.system_identifier}.",
        )
    elif target.has_backup_label and target.backup_start is None:
        yield Rejection(f"the backup_label of {made} cannot be read")
    elif target.backup_start is not None and control.redo < target.backup_start.lsn:
        yield Rejection(
            f"{made} is older than its backup_label",
            detail=f"Its last checkpoint began at {lsn_text(control.redo)}, the backup at "
            f"{lsn_text(target.backup_start.lsn)}.",
            hint="Have the command copy the files, or take its snapshot, while it is running.",
        )
    elif not target.has_backup_label and not control.is_shut_down:
        yield Rejection(
            f"{made} is neither a base backup nor of a server that was shut down cleanly",
            detail=f'It has no backup_label, and its control file says "{control.state}", so it is '
            "not known where its WAL ends.",
            hint=LABEL_ADVICE,
        )
