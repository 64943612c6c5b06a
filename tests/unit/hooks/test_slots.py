"""What becomes of the slots of nodes that are down."""

from typing import Any

from pgpool_recovery.config.settings import FailoverSettings
from pgpool_recovery.control.cluster import Node
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.hooks.slots import MEGABYTE, Slots, judge_slots

NODES = [Node(NodeId(number), f"server{number}", 5432, "/data") for number in (1, 2)]


def slot(node_id: int, kept_mb: int, **other: Any) -> dict[str, Any]:
    return {
        "name": f"pgpool_node_{node_id}",
        "is_physical": True,
        "is_active": False,
        "wal_status": "reserved",
        "kept_bytes": kept_mb * MEGABYTE,
    } | other


def judged(*slots: dict[str, Any], limit_mb: int = 1000, above: int | None = None) -> Slots:
    return judge_slots("node 0", NODES, slots, limit_mb, FailoverSettings(drop_slot_above_mb=above))


def test_slots_stay() -> None:
    found = judged(slot(1, 20), slot(2, 700))
    assert found.dropped == ()
    assert found.sentences == (
        "replication slot pgpool_node_1 of node 0 stays for node 1 and keeps 20 MB of WAL",
        "replication slot pgpool_node_2 of node 0 stays for node 2 and keeps 700 MB of WAL",
    )


def test_slot_above_the_limit_is_dropped() -> None:
    found = judged(slot(1, 500), slot(2, 501), above=500)
    assert found.dropped == ("pgpool_node_2",)
    assert "keeps 501 MB of WAL for node 2, more than 500 MB, and is dropped" in found.sentences[1]


def test_slot_in_use_is_not_dropped() -> None:
    assert judged(slot(1, 501, is_active=True), slot(2, 1), above=500).dropped == ()


def test_slots_without_a_limit_are_warned_of() -> None:
    assert (
        "WARNING: max_slot_wal_keep_size of node 0 is -1"
        in judged(slot(1, 1), limit_mb=-1).sentences[-1]
    )


def test_no_warning_where_nothing_is_kept() -> None:
    found = judged(slot(1, 9), slot(2, 9), limit_mb=-1, above=5)
    assert not any("WARNING" in sentence for sentence in found.sentences)


def test_slot_that_is_not_there_and_one_that_has_lost_its_wal() -> None:
    assert judged(slot(1, 0, wal_status="lost")).sentences == (
        "replication slot pgpool_node_1 of node 0 has lost WAL that node 1 needs",
        "node 0 has no replication slot pgpool_node_2 for node 2",
    )
