"""A plan: the method, why no cheaper one is possible, what it moves and needs, and its steps."""

from enum import Enum

from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.text import with_detail
from pgpool_recovery.domain.work import Work
from pgpool_recovery.facts.archived_wal import FetchAhead, FromArchive
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.moving import RemoveOld
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.facts.step.transfer import (
    CopyBaseBackup,
    Delta,
    Incremental,
    RestoreBackup,
    Rewind,
    RunCommand,
)
from pgpool_recovery.plan.duration import (
    FROM_ARCHIVE,
    NOT_KNOWN,
    REPLAYS,
    STREAMED,
    WORTH_TELLING_BYTES,
    Duration,
)
from pgpool_recovery.plan.meanwhile import WORTH_SAYING_BYTES, Meanwhile
from pgpool_recovery.plan.space import Room

WORKING = (CopyBaseBackup, Delta, Incremental, RestoreBackup, Rewind, RunCommand)
"""The steps that take longest in their plans."""


class OldData(Enum):
    """What becomes of the data that the target has."""

    NONE = "there is no old data"
    KEPT = "the data directory stays where it is, and nothing in it is replaced"
    CHANGED = "the data directory is modified in place; there is no other copy"
    OUT = "an interrupted run left the data directory in the workspace; it is moved back"
    HALF = "an interrupted run left the data half changed"
    STAYS = "the old data stays until the new server runs"
    GOES = "the old data is removed before the copy (not enough space, or keep_old = never)"

    @property
    def word(self) -> str:
        """The word for it in JSON."""
        return self.name.lower()


@record
class PassedOver:
    """A method that would move less data, and why it cannot be used.

    `own` is the name of the command of the settings that was tried.
    """

    method: Method
    reasons: tuple[Rejection, ...]
    own: str | None = None

    def __str__(self) -> str:
        reasons = (with_detail(reason.message, reason.detail) for reason in self.reasons)
        name = self.method if self.own is None else f"{self.method} {self.own}"
        return f"not {name}: {'; '.join(reasons)}"


@record
class Plan:
    """What a recovery will do.

    `moved_bytes` is an estimate of what goes over the network; None if it cannot be known in
    advance. `work_bytes` is an estimate of what its longest step works through, and `duration` how
    long that and the rest will take; None if it is not known. `needed_segment` is the first WAL
    segment that the primary must still have when all steps are done; None if it does not matter.
    `gives_up` is the sentence about what the target has and the primary does not, if that is lost.
    `forecast` is how much WAL the primary writes during the transfer, if that is known. `source`
    is the standby from which a copy is read; None if that is the primary. `from_archive` is the WAL
    that the standby gets from an archive before it streams, and `fetch_ahead` how that is fetched
    before its server asks for it. `own` is the name of the command of the settings that makes the
    data.
    """

    target_name: str
    method: Method
    summary: str
    slot_name: str
    moved_bytes: int | None
    old_data: OldData
    steps: tuple[Step, ...]
    needs: tuple[Room, ...] = ()
    needed_segment: int | None = None
    notes: tuple[str, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    gives_up: str | None = None
    own: str | None = None
    forecast: Meanwhile | None = None
    source: NodeId | None = None
    from_archive: FromArchive | None = None
    fetch_ahead: FetchAhead | None = None
    work_bytes: int | None = None
    duration: Duration | None = None

    @property
    def work(self) -> Work | None:
        """The longest step; None if nothing will tell how long such a step takes."""
        number, size = self._number_of_work, self.work_bytes
        if self.method is Method.COMMAND:
            size = 0
        elif self.method in REPLAYS and (size or 0) < WORTH_TELLING_BYTES:
            return None
        if number is None or size is None:
            return None
        if self.duration is None:
            return Work(number, size, kind=self.kind)
        return Work(number, size, self.duration.work_s, self.duration.after_s, self.kind)

    @property
    def _number_of_work(self) -> int | None:
        if self.method in REPLAYS:
            return len(self.steps)
        numbers = (n for n, step in enumerate(self.steps, 1) if isinstance(step, WORKING))
        return next(numbers, None)

    @property
    def kind(self) -> str | None:
        """The kind of its work: only earlier work of the same kind tells how long it takes."""
        if self.method in REPLAYS:
            return STREAMED if self.from_archive is None else FROM_ARCHIVE
        return self.own

    @property
    def point_of_no_return(self) -> Step | None:
        """The step up to which everything can be undone; None if that is so until the end."""
        is_only_copy = self.old_data in (OldData.CHANGED, OldData.HALF)
        in_place = (Rewind, Incremental, RestoreBackup, Delta, RunCommand)
        changing = (RemoveOld, *in_place) if is_only_copy else (RemoveOld,)
        return next((step for step in self.steps if isinstance(step, changing)), None)

    def sentences(self) -> tuple[str, ...]:
        """Return the plan as an operator reads it."""
        moves = "" if self.moved_bytes is None else f", about {pretty_size(self.moved_bytes)}"
        sentences = (
            f"plan: {self.method}: {self.summary}{moves}",
            *self._takes(),
            *(str(passed) for passed in self.passed_over),
            self.old_data.value,
            *([] if self.gives_up is None else [self.gives_up]),
            *([str(self.forecast)] if self._writes_much else []),
            *map(str, self.needs),
            *(
                [f"it cannot be undone from step {self._number(self.point_of_no_return)} on"]
                if self.point_of_no_return is not None
                else []
            ),
            *(f"note: {note}" for note in self.notes),
        )
        return tuple(" ".join(sentence.split("\n")) for sentence in sentences)

    def _takes(self) -> list[str]:
        """Return how long it takes, if it has a step of which that could be known."""
        if self.duration is not None:
            return [f"it takes {self.duration}"]
        if self.work is None or self.work.kind is not None:
            return []
        return [f"how long it takes is not known: {NOT_KNOWN}"]

    @property
    def _writes_much(self) -> bool:
        """Whether so much WAL will be written that an operator should know."""
        return self.forecast is not None and self.forecast.wal_bytes >= WORTH_SAYING_BYTES

    def _number(self, step: Step) -> int:
        return self.steps.index(step) + 1
