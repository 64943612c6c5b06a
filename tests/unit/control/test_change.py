"""What is done gracefully waits for the end of a failover before it is requested."""

from typing import Any, cast

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control import change
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.pcp.client.node_info import NodeInfo
from tests.unit.cli.facts import cluster, info

NODE = NodeId(1)
STANDBY = info(NODE, "up", "standby")


class ToldPool:
    """Records what it is told; the result does not matter."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def nodes(self) -> list[NodeInfo]:
        return [STANDBY]

    def detach(self, _node_id: NodeId, **_: Any) -> NodeInfo:
        self._told.append("detach")
        return STANDBY

    def promote(self, _node_id: NodeId, **_: Any) -> None:
        self._told.append("promote")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(change, "let_failover_end", lambda _infos: told.append("wait"))
    monkeypatch.setattr(change, "cluster_of_pool", lambda *_: cluster(STANDBY))
    monkeypatch.setattr(change, "refuse_promotion", lambda *_, **__: None)
    monkeypatch.setattr(change, "_wait_for_primary", lambda *_, **__: STANDBY)
    return told


@pytest.mark.parametrize(("gracefully", "before"), [(True, ["wait"]), (False, [])])
def test_graceful_request_waits(told: list[str], *, gracefully: bool, before: list[str]) -> None:
    pool = cast("Any", ToldPool(told))
    change.detach(pool, Settings(), NODE, gracefully=gracefully)
    assert told == [*before, "detach"]
    told.clear()
    change.promote(pool, Settings(), NODE, lambda _: None, switchover=True, gracefully=gracefully)
    assert told == [*before, "promote"]
