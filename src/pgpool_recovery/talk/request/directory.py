"""The requests about a data directory, of which no server need run."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.facts import LocalWal, TargetFacts
from pgpool_recovery.facts.own_wal import Part
from pgpool_recovery.talk.request.asks import Asks


@record
class WantedTablespace:
    """A tablespace of the primary; the target reports where its own one is or would be."""

    oid: int
    location: str
    directory: str


@record
class Tidy(Asks[None]):
    """Finish or undo what an interrupted run left half done in a data directory."""

    data_directory: str


@record
class IsTidy(Asks[bool]):
    """Return whether `Tidy` would find nothing to do; change nothing."""

    data_directory: str


@record
class StateSeen:
    """The state of a target, as its files show it; `what` describes them.

    With `is_certain` an operator finds the target in that state, whatever a run has done. Otherwise
    it is only what can be seen, and the agent of the run knows more.
    """

    state: TargetState
    what: str
    is_certain: bool = True


@record
class AskState(Asks[StateSeen]):
    """Return the state of a data directory, for a runner that lost the agent that changed it.

    Change nothing.
    """

    data_directory: str


@record
class Observe(Asks[TargetFacts]):
    """Return all facts about a data directory; change nothing."""

    data_directory: str
    major: int
    bin_directories: tuple[str, ...]
    tablespaces: tuple[WantedTablespace, ...]
    tablespace_mapping: dict[str, str]
    wal_directory: str | None
    timelines: tuple[TimelineId, ...]
    segment_bytes: int
    start_command: tuple[str, ...] = ()


@record
class DigestWal(Asks[tuple[str | None, ...]]):
    """Return the SHA-256 of parts of files in pg_wal, None for each part that is missing."""

    data_directory: str
    parts: tuple[Part, ...]


@record
class ReadBase(Asks[LocalWal]):
    """Return which WAL a changed directory has, and from which position on it will need more."""

    directory: str
    bin_directory: str
    timelines: tuple[TimelineId, ...]
    segment_bytes: int


@record
class DiscardOld(Asks[bool]):
    """Remove the old data that waits in the workspace; return whether there was any."""

    data_directory: str


DirectoryRequest = Tidy | IsTidy | AskState | Observe | DigestWal | ReadBase | DiscardOld
