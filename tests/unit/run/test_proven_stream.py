"""The remote start accepts only the very stream that the first stage has proved."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import QueryRefused, RecoveryError, Unreachable
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.standby import StreamFacts
from pgpool_recovery.run import proven_stream as module
from pgpool_recovery.run.proven_stream import proven_stream, read_proven, still_streams

TARGET = Target("server2", "/data", NodeId(1))
STREAM = StreamFacts("streaming", "pgpool_node_1", "node1", None, None, walsender="7 since 100.5")
PROVEN = proven_stream(TARGET, STREAM, "pgpool_node_1")
HANDED_ON = json.dumps(PROVEN.as_document()) if PROVEN else ""


def test_remote_start_without_a_node_id_accepts_it() -> None:
    assert read_proven(HANDED_ON, Target("server2", "/data")) == PROVEN


@pytest.mark.parametrize("target", [Target("server3", "/data"), Target("server2", "/data2")])
def test_proof_for_another_target_is_ignored(target: Target) -> None:
    assert read_proven(HANDED_ON, target) is None


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"proven": {}}', '{"proven": {"more": 1}}', '{"proven": 1}']
)
def test_proof_by_another_build_is_ignored(text: str) -> None:
    assert read_proven(text, TARGET) is None


@pytest.mark.parametrize(
    "stream",
    [
        replace(STREAM, walsender=None),
        replace(STREAM, slot_name=None),
        replace(STREAM, slot_name="pgpool_node_2"),
        replace(STREAM, state="startup"),
    ],
)
def test_stream_that_is_not_known_to_be_the_nodes_own_is_no_proof(stream: StreamFacts) -> None:
    assert proven_stream(TARGET, stream, "pgpool_node_1") is None
    assert proven_stream(TARGET, stream, None) is None


class Primary:
    """A primary with one WAL sender, or one that cannot be queried."""

    def __init__(self) -> None:
        self.walsender, self.state = "7 since 100.5", "streaming"
        self.failure: RecoveryError | None = None

    def rows(self, query: str) -> list[dict[str, Any]]:
        assert query == "stream_facts"
        if self.failure is not None:
            raise self.failure
        return [{"walsender": self.walsender, "state": self.state}]


@pytest.fixture
def primary(monkeypatch: pytest.MonkeyPatch) -> Primary:
    found = Primary()

    @contextmanager
    def own_server(*_: object) -> Iterator[Primary]:
        yield found

    monkeypatch.setattr(module, "own_server", own_server)
    return found


def still() -> bool:
    assert PROVEN is not None
    return still_streams(PROVEN, Settings())


def test_same_stream_is_accepted(primary: Primary) -> None:
    assert still()


@pytest.mark.parametrize("walsender", ["8 since 100.5", "7 since 200.5"])
def test_another_walsender_is_another_connection(primary: Primary, walsender: str) -> None:
    primary.walsender = walsender
    assert not still()


def test_stream_that_catches_up_again_is_not_accepted(primary: Primary) -> None:
    primary.state = "catchup"
    assert not still()


@pytest.mark.parametrize("kind", [Unreachable, QueryRefused])
def test_primary_that_cannot_be_queried_is_no_failure(
    primary: Primary, kind: type[RecoveryError]
) -> None:
    primary.failure = kind("no")
    assert not still()
