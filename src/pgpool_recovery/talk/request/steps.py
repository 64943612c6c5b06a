"""The requests that carry out the steps of a plan; they are undone without `Finish`."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.blocks import (
    BlockFormat,
    BlockTarget,
)
from pgpool_recovery.facts.facts import RelationSegment, TargetFacts
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.facts.step.transfer import Delta, Incremental
from pgpool_recovery.talk.request.asks import Asks
from pgpool_recovery.talk.request.directory import Observe


@record
class TakeStep(Asks[TargetState]):
    """Take one step of the plan; it is undone when the conversation ends before `Finish`.

    Return the state of the target that the journal then shows. A transfer that makes no progress
    for `stall_s` is aborted.
    """

    step: TargetStep
    stall_s: float


@record
class Made:
    """What a command has made; `end` is where its backup ends, if that is known."""

    facts: TargetFacts
    end: Point | None


@record
class AskMade(Asks[Made]):
    """Return the facts about a directory that a command of this conversation has made."""

    wanted: Observe


@record
class WriteLabel(Asks[None]):
    """Write the backup_label of a backup into the directory that a command has made."""

    directory: str
    label: str


@record
class BeginIncremental(Asks[Point]):
    """Have the primary begin an incremental base backup; return its start, change nothing."""

    step: Incremental
    left_out: tuple[RelationSegment, ...]


@record
class ApplyIncremental(Asks[TargetState]):
    """Write the backup that was begun into the directory; return the same as `TakeStep`."""

    step: Incremental


@record
class AbortIncremental(Asks[None]):
    """Abort the backup that was begun; nothing has been changed."""


@record
class DeltaBegun:
    """Where receivers write, and how many processors the target has."""

    target: BlockTarget
    processors: int


@record
class BeginDelta(Asks[DeltaBegun]):
    """Guard the directory, so that no server starts in it, and return where receivers write.

    `start` is where the backup begins that the source's files are read in, `format` how they are
    made, and `tablespaces` where the source has each tablespace, by OID.
    """

    step: Delta
    start: Point
    format: BlockFormat
    tablespaces: dict[int, str]


@record
class Expect(Asks[None]):
    """Make these directories, and remember what will have been received; `CommitDelta` keeps that.

    Paths are relative to the data directory.
    """

    directories: tuple[str, ...]
    files: tuple[str, ...]


@record
class CommitDelta(Asks[TargetState]):
    """Remove what is not expected, and make the directory one that a standby can start in.

    `label` is the backup_label of the backup. `vanished` are files that were expected, but that the
    source no longer had. Return the same as `TakeStep`.
    """

    step: Delta
    label: str
    vanished: tuple[str, ...]


@record
class Undo(Asks[TargetState]):
    """Undo all steps, the last one first; return the state of the target."""


@record
class Finish(Asks[None]):
    """Undo nothing from now on: the plan has been carried out."""


StepRequest = (
    TakeStep
    | AskMade
    | WriteLabel
    | BeginIncremental
    | ApplyIncremental
    | AbortIncremental
    | BeginDelta
    | Expect
    | CommitDelta
    | Undo
    | Finish
)
