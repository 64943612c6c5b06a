"""What is done with the slots that a standby has itself, on a fake server."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Cancelled, RecoveryError, Undone
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.slot import FormerSlot
from pgpool_recovery.postgres.slots import drop_former_slots
from pgpool_recovery.run import former_slots
from pgpool_recovery.run.former_slots import sentences
from tests.unit.plan.situation import TARGET, primary

if TYPE_CHECKING:
    from pgpool_recovery.postgres.connection import Connection
    from pgpool_recovery.talk.conversation import Conversation


class Standby:
    """The slots of a standby, and what was dropped."""

    def __init__(self, **slots: dict[str, bool]) -> None:
        self.slots = slots
        self.dropped: list[str] = []

    def rows(self, query: str, *, name: str = "") -> list[dict[str, Any]]:
        if query == "drop_slot":
            self.dropped.append(name)
            return []
        assert query == "standby_slots"
        usual = {"is_physical": True, "is_active": False, "is_failover": False}
        more = {"kept_bytes": 3 * 2**30, "holds_xmin": False}
        return [{"name": name, **usual, **more, **slot} for name, slot in self.slots.items()]


LOGICAL = {"is_physical": False}
FAILOVER = LOGICAL | {"is_failover": True}


@pytest.mark.parametrize(
    ("name", "slot", "goes"),
    [
        ("pgpool_node_1", {}, True),
        ("pgpool_server2_data", {}, False),
        ("pgpool_node_1", {"is_active": True}, False),
        ("archiver", {}, False),
        ("node_1", {}, False),
        ("pgpool_node_1", LOGICAL, False),
        ("sub", FAILOVER, True),
        ("sub", LOGICAL, False),
        ("sub", FAILOVER | {"is_active": True}, False),
        ("other", FAILOVER, False),
    ],
)
def test_only_what_is_known_to_be_a_leftover_is_dropped(
    name: str, slot: dict[str, bool], *, goes: bool
) -> None:
    standby = Standby(**{name: slot})
    found = drop_former_slots(cast("Connection", standby), ("sub", "pgpool_node_1"))
    assert standby.dropped == ([name] if goes else [])
    is_told = not slot.get("is_active")
    assert [one.name for one in found] == ([name] if is_told else [])
    assert all((one.why_kept is None) == goes for one in found)


def test_what_is_reported_about_them() -> None:
    found = (
        FormerSlot("pgpool_node_1", None, 2**20, holds_xmin=True),
        FormerSlot("archiver", "it may still be needed", 3 * 2**30, holds_xmin=True),
        FormerSlot("barman", "it may still be needed", 0, holds_xmin=False),
    )
    first, second, third = sentences("node 0", found)
    assert first == "dropped replication slot pgpool_node_1 of node 0, from its time as primary"
    assert second == (
        "replication slot archiver of node 0 stays, because it may still be needed: it is not in "
        "use, but retains 3072 MB of WAL there, and holds back VACUUM on the primary. If it is no "
        "longer needed, run on node 0: SELECT pg_drop_replication_slot('archiver')"
    )
    assert "VACUUM" not in third


class Agent:
    """An agent that fails."""

    def __init__(self, failure: RecoveryError) -> None:
        self._failure = failure

    def ask(self, *_: object, **__: object) -> None:
        raise self._failure


def drop_with(failure: RecoveryError, told: list[Event]) -> None:
    agent = cast("Conversation", Agent(failure))
    former_slots.drop_former_slots(agent, TARGET, primary(), Settings(), told.append)


def test_failure_to_check_them_does_not_end_the_recovery() -> None:
    told: list[Event] = []
    drop_with(Undone("no login"), told)
    assert told == [
        Said("agent", "the replication slots of node 1 were not checked: no login"),
    ]


def test_cancel_is_not_mistaken_for_such_a_failure() -> None:
    """Otherwise the next request would go to an agent that has not answered yet."""
    told: list[Event] = []
    with pytest.raises(Cancelled):
        drop_with(Cancelled("the recovery was cancelled"), told)
    assert told == []
