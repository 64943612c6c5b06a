"""How much harm a plan does: the order in which plans are compared when someone agrees to one.

Plans are ranked by what they do, not by the name of the method: a full copy next to the old data
takes less from the node than a rewind of its only copy, although it moves more.
"""

from enum import IntEnum, StrEnum

from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.policy import Method, Unattended
from pgpool_recovery.facts.step.moving import DiscardWaiting, PutInPlace, PutOldBack, RemoveOld
from pgpool_recovery.facts.step.standby import Repoint, RepointRunning
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.facts.step.transfer import (
    CopyBaseBackup,
    Delta,
    Incremental,
    RestoreBackup,
    Rewind,
    RunCommand,
)
from pgpool_recovery.plan.plan import OldData, Plan


class Reach(IntEnum):
    """How much of the node is replaced, the least first."""

    NOTHING = 0
    SETTINGS = 1
    WAL = 2
    BLOCKS = 3
    BACKUP = 4
    COPY = 5

    def __str__(self) -> str:
        return REACHES[self]


REACHES = {
    Reach.NOTHING: "nothing is changed",
    Reach.SETTINGS: "the settings of the running server are changed",
    Reach.WAL: "only WAL is moved",
    Reach.BLOCKS: "the blocks that differ are replaced",
    Reach.BACKUP: "what differs from the backup is replaced",
    Reach.COPY: "all data is copied again",
}
BY_STEP: dict[type[Step], Reach] = {
    RepointRunning: Reach.SETTINGS,
    Repoint: Reach.WAL,
    PutInPlace: Reach.WAL,
    Rewind: Reach.BLOCKS,
    Incremental: Reach.BLOCKS,
    Delta: Reach.BLOCKS,
    RestoreBackup: Reach.BACKUP,
    RunCommand: Reach.BACKUP,
    CopyBaseBackup: Reach.COPY,
    RemoveOld: Reach.COPY,
}
BY_METHOD = {
    Method.ATTACH: Reach.NOTHING,
    Method.REPOINT: Reach.SETTINGS,
    Method.CATCH_UP: Reach.WAL,
    Method.REWIND: Reach.BLOCKS,
    Method.INCREMENTAL: Reach.BLOCKS,
    Method.RESTORE: Reach.BACKUP,
    Method.COMMAND: Reach.BACKUP,
    Method.DELTA: Reach.BLOCKS,
    Method.BASEBACKUP: Reach.COPY,
}


class Old(IntEnum):
    """What happens to the data that the node has, the least harm first."""

    KEPT = 0
    STAYS = 1
    HALF = 2
    CHANGED = 3
    GOES = 4

    def __str__(self) -> str:
        return OLDS[self]


OLDS = {
    Old.KEPT: "nothing in the data directory is replaced",
    Old.STAYS: "the old data stays until the new server runs",
    Old.HALF: "data that is already half changed is changed further",
    Old.CHANGED: "the data directory is modified in place, and no second copy is kept",
    Old.GOES: "the old data is deleted before the new data exists",
}
BY_OLD_DATA = {
    OldData.NONE: Old.KEPT,
    OldData.KEPT: Old.KEPT,
    OldData.OUT: Old.KEPT,
    OldData.STAYS: Old.STAYS,
    OldData.HALF: Old.HALF,
    OldData.CHANGED: Old.CHANGED,
    OldData.GOES: Old.GOES,
}


class Loss(StrEnum):
    """What else may be lost, each independently of the others."""

    STOP = "stop"
    LEFT = "left"
    WAL = "wal"


LOSSES = {
    Loss.STOP: "the server that is running there is stopped",
    Loss.LEFT: "the second copy that an earlier recovery left is removed",
    Loss.WAL: "what the node wrote and the primary does not have is given up",
}


@record
class Harm:
    """What a plan does to a node; `words()` writes it in a form that `read_harm` understands."""

    reach: Reach
    old: Old
    losses: frozenset[Loss] = frozenset()

    def words(self) -> str:
        """Return it for a machine.

        >>> Harm(Reach.BLOCKS, Old.CHANGED, frozenset({Loss.WAL})).words()
        'blocks changed wal'
        """
        losses = (loss for loss in Loss if loss in self.losses)
        return " ".join((self.reach.name.lower(), self.old.name.lower(), *losses))

    def __str__(self) -> str:
        losses = (LOSSES[loss] for loss in Loss if loss in self.losses)
        return "; ".join((str(self.reach), str(self.old), *losses))


ALL_LOSSES = frozenset(Loss)
ANYTHING = Harm(Reach.COPY, Old.GOES, ALL_LOSSES)
UNATTENDED = {
    Unattended.ANYTHING: ANYTHING,
    Unattended.KEEP_OLD: Harm(Reach.COPY, Old.STAYS, ALL_LOSSES),
    Unattended.REPLACE_NOTHING: Harm(Reach.WAL, Old.KEPT, frozenset({Loss.STOP, Loss.LEFT})),
}
"""What may be done if no user was asked. NOTHING is missing on purpose: it allows no harm."""


def harm_of(plan: Plan, *, stops: bool = False) -> Harm:
    """Return what a plan does; `stops`: a running server was stopped for it, or will be."""
    kinds = [type(step) for step in plan.steps]
    reach = max(map(_reach, plan.steps), default=Reach.NOTHING)
    leaves = DiscardWaiting in kinds or PutOldBack in kinds
    found = {Loss.STOP: stops, Loss.LEFT: leaves, Loss.WAL: plan.gives_up is not None}
    losses = frozenset(loss for loss, is_so in found.items() if is_so)
    return Harm(reach, BY_OLD_DATA[plan.old_data], losses)


def _reach(step: Step) -> Reach:
    if isinstance(step, Delta) and step.is_whole:  # It ends a full copy, which replaces all.
        return Reach.COPY
    return BY_STEP.get(type(step), Reach.NOTHING)


def up_to(method: Method) -> Harm:
    """Return the most harm that a method can do, whatever it finds.

    Methods of the same reach, such as rewind and incremental, are equal here. A delta that goes on
    from an interrupted full copy counts as that copy.
    """
    reach = BY_METHOD[method]
    if reach < Reach.WAL:
        return Harm(reach, Old.KEPT)
    losses = frozenset({Loss.STOP, Loss.LEFT})
    if reach is Reach.WAL:
        return Harm(reach, Old.KEPT, losses)
    return Harm(reach, Old.GOES if reach is Reach.COPY else Old.CHANGED, ALL_LOSSES)


def excess(needed: Harm, agreed: Harm) -> tuple[str, ...]:
    """Return what would be done beyond what was agreed to; empty if nothing is."""
    more = [str(n) for n, a in ((needed.reach, agreed.reach), (needed.old, agreed.old)) if n > a]
    return (*more, *(LOSSES[loss] for loss in Loss if loss in needed.losses - agreed.losses))


def read_harm(text: object) -> Harm | None:
    """Return what `Harm.words` wrote; None if the text is something else, or from another build.

    >>> read_harm("wal kept stop") == Harm(Reach.WAL, Old.KEPT, frozenset({Loss.STOP}))
    True
    """
    if not isinstance(text, str):
        return None
    try:
        reach, old, *losses = text.split(" ")
        return Harm(Reach[reach.upper()], Old[old.upper()], frozenset(map(Loss, losses)))
    except (KeyError, ValueError):
        return None
