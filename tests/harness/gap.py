"""What happens on a primary while a node is away, composed of named pieces.

ground = Ground(cluster.primary, [cluster.node(1)])
prepare(ground, EVERYTHING)
cluster.node(1).stop()
happen(ground, EVERYTHING)
remove_wal_for(cluster.primary, cluster.node(1))  # of wal.py

A test that needs less passes another list of pieces.
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
    REPACKED,
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

__all__ = [
    "EVERYTHING",
    "Ground",
    "Piece",
    "clear",
    "happen",
    "prepare",
    "rows_changed",
    "settings_for",
]

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
    REPACKED,
    INDEXES,
    DATABASE_CREATED,
    DATABASE_DROPPED,
    TABLESPACES,
    LARGE_OBJECTS,
    UNLOGGED_TABLES,
    SEQUENCES,
    PREPARED_TRANSACTION_OPEN,
)

# psql runs each row that a query with \gexec returns. A materialized view goes with its table.
_CLEAR = r"""
SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE gid LIKE 'gap %' \gexec
SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname LIKE 'gap\_%' \gexec
SELECT format('DROP TABLE %I CASCADE', relname) FROM pg_class
 WHERE relname LIKE 'gap\_%' AND relkind = 'r' \gexec
SELECT format('DROP SEQUENCE %I', relname) FROM pg_class
 WHERE relname LIKE 'gap\_%' AND relkind = 'S' \gexec
SELECT format('DROP TABLESPACE %I', spcname) FROM pg_tablespace
 WHERE spcname LIKE 'gap\_%' \gexec
SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid BETWEEN 900001 AND 900120;
"""


def settings_for(pieces: Sequence[Piece]) -> dict[str, str]:
    """Return the settings that all servers of a cluster need for these pieces."""
    return {name: value for piece in pieces for name, value in piece.settings.items()}


def prepare(ground: Ground, pieces: Sequence[Piece]) -> None:
    """Create what the pieces will change, and wait until every node has it."""
    for piece in pieces:
        act(ground, piece.before)
    for node in ground.others:
        wait_for_replay(node, ground.primary.wal_position())


def happen(ground: Ground, pieces: Sequence[Piece]) -> None:
    """Run the pieces on the primary, one after another."""
    for piece in pieces:
        act(ground, piece.during)


def clear(ground: Ground) -> None:
    """Drop everything that the pieces created, so that they can be prepared again."""
    ground.primary.execute(_CLEAR)
