"""Which row of pg_stat_replication belongs to a node."""

from pgpool_recovery.domain.standby import StreamFacts
from pgpool_recovery.domain.wal import Lsn
from pgpool_recovery.postgres.standby import choose_stream

NAMELESS = "walreceiver"


def stream(slot_name: str | None, name: str, flushed: int = 10) -> StreamFacts:
    return StreamFacts("streaming", slot_name, name, Lsn(flushed), Lsn(flushed))


def test_slot_takes_precedence_over_the_name() -> None:
    by_slot, by_name = stream("s1", "other"), stream(None, "node1")
    assert choose_stream([by_name, by_slot], {"s1"}, "node1") is by_slot
    assert choose_stream([by_name], {"s1"}, "node1") is by_name


def test_standby_on_another_slot_is_not_the_node_whatever_its_name() -> None:
    assert choose_stream([stream("s2", "node1")], {"s1"}, "node1") is None
    assert choose_stream([stream(None, "node1")], set(), None) is None


def test_standbys_with_the_default_name_are_not_taken_for_lost() -> None:
    """The one furthest behind stands for all, so that none looks better than it is."""
    ahead, behind = stream(None, NAMELESS, 20), stream(None, NAMELESS, 5)
    assert choose_stream([ahead, behind], set(), NAMELESS) is behind
