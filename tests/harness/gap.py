"""What happens on a primary while a node is away, composed of named pieces.

ground = Ground(cluster.primary, [cluster.node(1)])
prepare(ground, EVERYTHING)
cluster.node(1).stop()
happen(ground, EVERYTHING)
remove_wal_for(cluster.primary, cluster.node(1))  # of wal.py

A test that wants less gives another list of pieces.
"""

from collections.abc import Sequence

from .contents import wait_for_replay
from .gap_piece import (
    CLUSTERED,
    DATABASE_CREATED,
    DATABASE_DROPPED,
    INDEXES,
    LARGE_OBJECTS,
    PREPARED_TRANSACTION_ENDED,
    PREPARED_TRANSACTION_OPEN,
    SEQUENCES,
    TABLE_CREATED,
    TABLE_DROPPED,
    TABLE_TRUNCATED,
    TABLESPACES,
    UNLOGGED_TABLES,
    VACUUM_FULL,
    VACUUM_TRUNCATION,
    rows_changed,
)
from .ground import Ground, Piece, act

__all__ = ["EVERYTHING", "Ground", "Piece", "happen", "prepare", "rows_changed", "settings_for"]

# A prepared transaction holds back what VACUUM may remove: one ends first, one begins last.
EVERYTHING: tuple[Piece, ...] = (
    PREPARED_TRANSACTION_ENDED,
    rows_changed(0.02),
    TABLE_CREATED,
    TABLE_DROPPED,
    TABLE_TRUNCATED,
    VACUUM_TRUNCATION,
    VACUUM_FULL,
    CLUSTERED,
    INDEXES,
    DATABASE_CREATED,
    DATABASE_DROPPED,
    TABLESPACES,
    LARGE_OBJECTS,
    UNLOGGED_TABLES,
    SEQUENCES,
    PREPARED_TRANSACTION_OPEN,
)


def settings_for(pieces: Sequence[Piece]) -> dict[str, str]:
    """Return the settings that all servers of a cluster need for these pieces."""
    return {name: value for piece in pieces for name, value in piece.settings.items()}


def prepare(ground: Ground, pieces: Sequence[Piece]) -> None:
    """Make what the pieces will change, and wait until every node has it."""
    for piece in pieces:
        act(ground, piece.before)
    for node in ground.others:
        wait_for_replay(node, ground.primary.wal_position())


def happen(ground: Ground, pieces: Sequence[Piece]) -> None:
    """Let the pieces happen on the primary, one after the other."""
    for piece in pieces:
        act(ground, piece.during)
