"""A slot that ends while a node replays from an archive is created again."""

from typing import Any, cast

import pytest

from pgpool_recovery import remote_start
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.remote_start import SLOT_EVERY_S, keeping_slot

TARGET = Target("server1", "/data", NodeId(1))


def test_slot_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    clock = {"now": 0.0}
    monkeypatch.setattr(remote_start, "replace_ended", lambda *given: seen.append(given))
    monkeypatch.setattr("pgpool_recovery.remote_start.time.monotonic", lambda: clock["now"])
    emit = print
    keep = keeping_slot(cast("Any", "the primary"), TARGET, "pgpool_node_1", emit)
    keep()
    assert seen == []
    for seconds in (SLOT_EVERY_S + 0.1, SLOT_EVERY_S + 0.2, 2 * SLOT_EVERY_S + 0.3):
        clock["now"] = seconds
        keep()
    assert seen == 2 * [("the primary", TARGET, "pgpool_node_1", emit)]
