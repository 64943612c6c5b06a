"""What a piece of a gap is, and the ground on which it happens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .postgresql import Server


@dataclass(frozen=True)
class Ground:
    """The primary on which it happens, and the other nodes, on hosts of their own.

    `place` is the directory for tablespaces. A second gap needs another one: on a node that missed
    DROP TABLESPACE, the old location may still contain its files.
    """

    primary: Server
    others: Sequence[Server] = ()
    place: str = "tablespaces"

    def create_tablespace(self, name: str) -> None:
        """Create a tablespace, and its directory on every host."""
        self.primary.create_tablespace(name, self.location(name), also_on=self.others)

    def location(self, tablespace: str) -> Path:
        return self.primary.machine.home / self.place / tablespace


Act = str | Callable[[Ground], None]


@dataclass(frozen=True)
class Piece:
    """A change: `before` is done while every node is there, `during` while one is away.

    Each is SQL for the database postgres, or a function. All servers need `settings`.
    """

    name: str
    before: Act = ""
    during: Act = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def act(ground: Ground, what: Act) -> None:
    """Run a part of a piece on the primary."""
    if callable(what):
        what(ground)
    elif what:
        ground.primary.execute(what)
