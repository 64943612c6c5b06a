"""A backup of a standby begins only once it has replayed a checkpoint of the primary."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.standby import StreamFacts, UpstreamFacts
from pgpool_recovery.domain.wal import Lsn
from pgpool_recovery.facts.step.transfer import SourceNode
from pgpool_recovery.run import backup_begin as module
from pgpool_recovery.run.backup_begin import bring_up, prepare_backup

if TYPE_CHECKING:
    from pgpool_recovery.run.party import Party

NODE = SourceNode(NodeId(2), "pgpool_node_2", "server3", "server3", "/data")
WRITTEN = 0x5000000


class Story:
    """A primary that has written up to WRITTEN, and how far the standby replays, look by look."""

    def __init__(self, patch: pytest.MonkeyPatch, replayed: list[int | None]) -> None:
        self.replayed = replayed
        self.did: list[str] = []
        self.now = 0.0
        self.refusal: Exception | None = None
        patch.setattr(module, "read_upstream", self.read_upstream)
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)
        patch.setattr(module, "time", clock)
        connection = SimpleNamespace(do=self.do)
        agent = SimpleNamespace(check=lambda: None)
        deadlines = SimpleNamespace(stall_s=60.0)
        self.party = cast(
            "Party",
            SimpleNamespace(
                connection=connection,
                agent=agent,
                deadlines=deadlines,
                emit=lambda event: self.did.append(event.line),
                checkpoint=lambda: self.did.append("checkpoint as for the primary"),
            ),
        )

    def do(self, query: str) -> None:
        self.did.append(query)
        if self.refusal is not None:
            raise self.refusal

    def sleep(self, seconds: float) -> None:
        self.now += 30 * seconds

    def read_upstream(self, _connection: Any, name: str, slots: set[str], own: str) -> Any:
        assert (name, slots, own) == ("the primary", {"pgpool_node_2"}, "server3")
        at = self.replayed.pop(0) if len(self.replayed) > 1 else self.replayed[0]
        stream = None
        if at is not None:
            stream = StreamFacts("streaming", "pgpool_node_2", "server3", Lsn(at), Lsn(at))
        self.did.append("look")
        return UpstreamFacts("the primary", None, Lsn(WRITTEN), stream)


def test_checkpoint_then_replay_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, [0, 1, WRITTEN - 1, WRITTEN])
    bring_up(story.party, NODE)
    assert story.did[0] == "CHECKPOINT"
    assert story.did.count("look") == 4


def test_slow_replay_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, [*range(100), WRITTEN])
    bring_up(story.party, NODE)
    assert story.did.count("waiting until node 2 has replayed the checkpoint") == 1


def test_replay_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, [WRITTEN - 1])
    with pytest.raises(Undone, match="node 2 does not replay the primary's WAL"):
        bring_up(story.party, NODE)
    assert 60 < story.now < 120


def test_standby_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, [0, None])
    with pytest.raises(Undone, match="node 2 no longer streams from the primary"):
        bring_up(story.party, NODE)


def test_without_the_checkpoint_it_is_not_known_where_the_copy_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story(monkeypatch, [WRITTEN])
    story.refusal = Unreachable("query failed", detail="must be superuser")
    with pytest.raises(Undone, match="without a checkpoint on the primary") as refused:
        bring_up(story.party, NODE)
    assert "must be superuser" in str(refused.value.detail)


def test_copy_of_the_primary_needs_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, [0])
    prepare_backup(story.party, None)
    assert story.did == ["checkpoint as for the primary"]
