"""The requests about the server of a data directory: starting it, stopping it, asking it."""

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.slot import FormerSlot
from pgpool_recovery.domain.standby import StandbyFacts
from pgpool_recovery.domain.wal import History
from pgpool_recovery.facts.archived_wal import FetchAhead
from pgpool_recovery.facts.running import Running
from pgpool_recovery.facts.source import SourceServer
from pgpool_recovery.talk.request.asks import Asks


@record
class Guarded:
    """How to log in to a server that is guarded, and the primary's history, if known.

    `stop_s` limits the time for stopping it.
    """

    dbname: str
    user: str | None
    history: History | None
    stop_s: float


@record
class LogPosition:
    """Where in a server's log the lines of its last start begin."""

    file: str
    offset: int


@record
class Started:
    """The server that `Start` found running or has started; `bin_directory` has its programs."""

    was_running: bool
    bin_directory: str
    is_standby: bool
    slot_name: str | None
    former_slot_name: str | None
    port: int
    log: LogPosition | None


@record
class Start(Asks[Started]):
    """Start the server of a data directory and wait until it accepts connections.

    With `guarded` the agent stops the server if it turns out not to be a standby of the primary,
    until the runner sends `Believe`. It does so even when the runner is gone. Until `Believe` it
    also fetches WAL from an archive for the server, as `ahead` says.
    """

    data_directory: str
    bin_directories: tuple[str, ...]
    start_command: tuple[str, ...]
    timeout_s: float
    guarded: Guarded | None = None
    ahead: FetchAhead | None = None


@record
class Believe(Asks[None]):
    """Leave the server that `Start` has started alone from now on: it is what it should be."""

    data_directory: str


@record
class AskRunning(Asks[Running]):
    """Return what the running server of a data directory reports about itself; change nothing.

    `dbname` and `user` are those with which the stage commands log in to their own server.
    `history` is the primary's; without it the WAL records that were received are not examined.
    """

    data_directory: str
    dbname: str
    user: str | None
    bin_directory: str | None = None
    history: History | None = None


@record
class AskStandby(Asks[StandbyFacts]):
    """Return the facts about a standby that was started, or pointed at the primary; change nothing.

    `slot_name` is the slot that it should stream from; the login is the one of `AskRunning`.
    """

    data_directory: str
    dbname: str
    user: str | None
    bin_directory: str | None
    slot_name: str | None


@record
class AskSource(Asks[SourceServer]):
    """Return what a base backup of the running server needs to know; change nothing.

    The fields are those of `AskStandby`.
    """

    data_directory: str
    dbname: str
    user: str | None
    slot_name: str | None


@record
class StopAtOnce(Asks[bool]):
    """Stop the server of a data directory, in immediate mode if it takes too long otherwise.

    Return whether it was a clean shutdown. `has_failed` is added to the number of failed starts.
    """

    data_directory: str
    bin_directories: tuple[str, ...]
    timeout_s: float
    has_failed: int


@record
class FindLog(Asks[LogPosition | None]):
    """Return the log of a running server, from its beginning; None if it cannot be determined."""

    data_directory: str


@record
class StopServer(Asks[None]):
    """Stop the server of a data directory."""

    data_directory: str
    bin_directories: tuple[str, ...]
    timeout_s: float


@record
class ReadSlotName(Asks[str | None]):
    """Return the slot that a standby will stream from, according to its files."""

    data_directory: str


@record
class ReadLog(Asks[str]):
    """Return the last lines of the started server's log."""

    log: LogPosition


@record
class DropFormerSlots(Asks[tuple[FormerSlot, ...]]):
    """Drop the slots that a standby has from its own time as primary; return what it had.

    `dbname` and `user` are those with which the stage commands log in to their own server.
    `failover_slots` are the primary's.
    """

    data_directory: str
    dbname: str
    user: str | None
    failover_slots: tuple[str, ...]


@record
class MakeIndependent(Asks[int]):
    """Promote the standby and set its sequences to these values; return how many were not set.

    `sequences` has, for each database, the last values by the sequences' OIDs. `timeout_s` limits
    the promotion.
    """

    data_directory: str
    sequences: dict[str, dict[int, int]]
    timeout_s: float


ServerRequest = (
    Start
    | Believe
    | AskRunning
    | AskStandby
    | AskSource
    | StopAtOnce
    | FindLog
    | StopServer
    | ReadSlotName
    | ReadLog
    | DropFormerSlots
    | MakeIndependent
)
