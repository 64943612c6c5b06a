"""Where a step works: the directories of a target, and its workspace beside or in each."""

from enum import Enum

from pgpool_recovery.domain.record import record


class Touches(Enum):
    """Where a step leaves something behind: on the primary, beside the target's data, or in it.

    If an agent is lost during a step of the last kind, the state of the target is not known.
    """

    PRIMARY = "primary"
    BESIDE = "target"
    PLACE = "target's data"


@record
class Place:
    """A directory of the target that is replaced as a whole, and where it is prepared.

    The new directory is prepared in ``<workspace>/new``, and the old one is kept in
    ``<workspace>/old``. `is_inside`: the workspace is in the directory itself, because that is a
    mount point or must not be renamed. Then its entries are moved one by one.
    """

    path: str
    workspace: str
    is_inside: bool
    new: str

    @property
    def old(self) -> str:
        """Where the old directory is kept."""
        return f"{self.workspace}/old"


@record
class TablespacePlace:
    """A tablespace to be copied: its OID, and where it is on the target."""

    oid: int
    location: str
    place: Place

    @property
    def copy_location(self) -> str:
        """The location that a copy is written to."""
        return f"{self.place.workspace}/new"


@record
class Places:
    """All directories of one target."""

    data: Place
    wal: Place | None
    tablespaces: tuple[TablespacePlace, ...]

    def in_place(self) -> "Places":
        """Return what a method that changes the directory itself moves: only that directory."""
        return Places(data=self.data, wal=None, tablespaces=())

    def all(self) -> tuple[Place, ...]:
        """Return the places in the order in which they are swapped: the data directory last.

        Until then, no server can be started at the data directory's path.
        """
        wal = () if self.wal is None else (self.wal,)
        return (*wal, *(t.place for t in self.tablespaces), self.data)
