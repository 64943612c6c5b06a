"""To whom a slot belongs: what a target reports is never enough."""

import pytest

from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.slot import (
    IN_USE,
    LOGICAL,
    NOT_KNOWN,
    SlotState,
    is_of_a_recovery,
    names_of,
    why_kept,
)

NODE = Target("Server-1.example", "/data", NodeId(1))


def slot(name: str, *, is_physical: bool = True, is_active: bool = False) -> SlotState:
    return SlotState(name, is_physical=is_physical, is_active=is_active)


@pytest.mark.parametrize(
    "name",
    [
        "pgpool_node_1",
        "pgpool_server_1_example_data",  # Its name when the node id was not known.
        "server_1_example",  # recovery_1st_stage.sample since 4.4.
        "Server_1_example",  # Before; PostgreSQL takes no such name, other servers may.
        "node_1",
    ],
)
def test_slot_that_a_recovery_of_the_node_made_is_dropped(name: str) -> None:
    assert why_kept(slot(name), names_of(NODE)) is None


@pytest.mark.parametrize(
    "name",
    [
        "barman",
        "barman_node_1",
        "pg_receivewal",
        "pgpool_node_2",
        "pgpool_node_10",
        "node_2",
        "node_10",
        "server_2_example",
        "server_1",
        "server_1_example_2",
        "",
    ],
)
def test_promise_13_foreign_slot_is_never_dropped(name: str) -> None:
    assert why_kept(slot(name), names_of(NODE)) == NOT_KNOWN


def test_slot_that_is_in_use_or_logical_is_never_dropped() -> None:
    names = names_of(NODE)
    assert why_kept(slot("node_1", is_active=True), names) == IN_USE
    assert why_kept(slot("node_1", is_physical=False), names) == LOGICAL
    assert why_kept(slot("barman", is_active=True), names) == NOT_KNOWN


def test_number_is_ambiguous_where_hosts_are_numbered() -> None:
    """Node 1 may be the host node-2, and node_1 the slot of node 0 on the host node-1."""
    names = names_of(Target("node-2", "/data", NodeId(1)))
    assert "node_2" in names
    assert "node_1" not in names


def test_number_is_ambiguous_where_the_node_id_is_not_known() -> None:
    assert not any(name.startswith("node_") for name in names_of(Target("server1", "/data")))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("pgpool_node_1", True), ("pgpool_node_1_old", False), ("my_pgpool_node_1", False)],
)
def test_name_that_our_recoveries_use(name: str, *, expected: bool) -> None:
    assert is_of_a_recovery(name) is expected
