"""Stop a primary and a standby so that their files can be compared, and start them again."""

from collections.abc import Iterator
from contextlib import contextmanager

from .postgresql import Server
from .psql import quoted
from .until import until


@contextmanager
def both_stopped(primary: Server, node: Server) -> Iterator[None]:
    """Stop both cleanly, with everything that the primary wrote on the node; then start them again.

    The primary is stopped first. Its walsenders send all WAL before it ends, up to the shutdown
    checkpoint. The node makes a restartpoint of that, and so writes every page it has changed.
    """
    try:
        primary.stop()
        checkpoint = primary.controldata()["Latest checkpoint location"]
        until(
            lambda: _has_replayed_past(node, checkpoint),
            within_s=30,
            what=f"{node.name} to replay the checkpoint of {primary.name} at {checkpoint}",
        )
        node.stop()
        assert _checkpoint(node) == _checkpoint(primary), f"{node.name} stopped at another point"
        yield
    finally:
        for server in (primary, node):
            if not server.is_running:
                server.start()
    until(lambda: _streams(node), within_s=30, what=f"{node.name} to stream again")


def _checkpoint(server: Server) -> dict[str, str]:
    """Return the latest checkpoint according to pg_control, and the system identifier."""
    data = server.controldata().items()
    return {
        key: value
        for key, value in data
        if key.startswith(("Latest checkpoint", "Database system identifier"))
    }


def _has_replayed_past(node: Server, position: str) -> bool:
    return node.sql(f"SELECT pg_last_wal_replay_lsn() > {quoted(position)}::pg_lsn") == [("t",)]


def _streams(node: Server) -> bool:
    return node.sql("SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'") == [("1",)]
