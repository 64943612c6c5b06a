"""What is done with slots that a target names, on a fake primary."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.remote_start import drop_former_slot
from pgpool_recovery.second_stage import let_go_of_slot

if TYPE_CHECKING:
    from pgpool_recovery.postgres.connection import Connection

TARGET = Target("server1", "/data", NodeId(1))


class Primary:
    """The slots of a primary, and what was dropped; a fake of our Connection's queries."""

    def __init__(self, *names: str, **other: Any) -> None:
        row = {"is_physical": True, "is_active": False, "behind_bytes": 3 * 2**30}
        self.slots = dict.fromkeys(names, row | other)
        self.dropped: list[str] = []

    def rows(self, query: str, *, name: str) -> list[dict[str, Any]]:
        if query == "slot":
            return [self.slots[name]] if name in self.slots else []
        assert query == "drop_slot"
        if self.slots[name]["is_active"] is None:
            raise Unreachable("query failed", detail="the disk is full")
        self.dropped.append(name)
        del self.slots[name]
        return []


def former(primary: Primary, name: str | None) -> list[str]:
    events: list[Event] = []
    drop_former_slot(cast("Connection", primary), TARGET, name, events.append)
    return [event.line for event in events if isinstance(event, Said)]


@pytest.mark.parametrize("name", ["barman", "pg_receivewal", "node_2", "server2", "other'); --"])
def test_promise_13_slot_that_a_target_claims_is_only_reported(name: str) -> None:
    primary = Primary(name)
    (said,) = former(primary, name)
    assert primary.dropped == []
    assert said.startswith(f"replication slot {name} stays, because its name does not show ")
    assert "node 1 reports that it used it before; it retains 3072 MB of WAL." in said


@pytest.mark.parametrize("name", ["node_1", "server1", "pgpool_server1_data"])
def test_slot_that_is_known_to_be_the_nodes_is_dropped(name: str) -> None:
    primary = Primary(name)
    assert former(primary, name) == [f"dropped replication slot {name}, which the node used before"]
    assert primary.dropped == [name]


@pytest.mark.parametrize("name", [None, "gone", "pgpool_node_1", "pgpool_node_2"])
def test_nothing_is_reported_without_a_slot_or_for_one_that_a_recovery_created(
    name: str | None,
) -> None:
    primary = Primary("pgpool_node_1", "pgpool_node_2")
    assert former(primary, name) == []
    assert primary.dropped == []


def test_slot_in_use_stays_and_one_that_cannot_be_dropped_is_reported() -> None:
    used, broken = Primary("server1", is_active=True), Primary("server1", is_active=None)
    assert former(used, "server1") == []
    (said,) = former(broken, "server1")
    assert "stays, because it could not be dropped: the disk is full" in said
    assert used.dropped == broken.dropped == []


def test_slot_that_logical_decoding_waits_for_stays_and_is_reported() -> None:
    events: list[Event] = []
    primary = Primary("server1")
    drop_former_slot(
        cast("Connection", primary), TARGET, "server1", events.append, awaited=("server1",)
    )
    (said,) = [event.line for event in events if isinstance(event, Said)]
    assert said.startswith(
        "replication slot server1 stays, because synchronized_standby_slots lists it, and logical "
        "decoding waits for it as long as it does: "
    )
    assert primary.dropped == []


def test_promise_13_second_stage_drops_no_slot_but_the_nodes() -> None:
    events: list[Event] = []
    primary = Primary("pgpool_node_1", "barman", "pgpool_node_2")
    for name in ("barman", "pgpool_node_2", "pgpool_node_1"):
        let_go_of_slot(cast("Connection", primary), TARGET, name, events.append)
    assert primary.dropped == ["pgpool_node_1"]
    assert len(events) == 2
