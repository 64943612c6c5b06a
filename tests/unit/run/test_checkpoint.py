"""A backup begins with a checkpoint, which can take long: it is done before any limit applies."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgpool_recovery.domain.error import Cancelled, QueryRefused, RecoveryError, Unreachable
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import Base, LocalWal
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.transfer import CopyBaseBackup, Incremental
from pgpool_recovery.run import incremental
from pgpool_recovery.run.basebackup import copy
from pgpool_recovery.run.incremental import apply_incremental
from pgpool_recovery.run.own_slot import OwnSlot
from pgpool_recovery.run.party import Deadlines, Party
from pgpool_recovery.talk.request.directory import ReadBase
from pgpool_recovery.talk.request.steps import BeginIncremental

PLACES = Places(Place("/data", "/data.w", is_inside=False, new="/data.w/new"), None, ())
COPY = CopyBaseBackup("/bin", {}, "pgpool_node_1", PLACES, None, None, 1, 2**24)


INCREMENTAL = Incremental(
    PLACES, "/bin", {}, "pgpool_node_1", (), 2**24, {}, None, verifies_pages=False
)
AT = Point(TimelineId(1), Lsn(2**24))


class Primary:
    """A server that records its commands, and may refuse them."""

    def __init__(self, order: list[str], failure: RecoveryError | None = None) -> None:
        self._order = order
        self._failure = failure

    def do(self, command: str) -> None:
        self._order.append(command)
        if self._failure is not None:
            raise self._failure


class Agent:
    """An agent that records its requests, and answers those that a backup makes."""

    def __init__(self, order: list[str]) -> None:
        self._order = order

    def ask(self, request: object, *_: object, **__: object) -> Any:
        match request:
            case ReadBase():
                return LocalWal(Base(AT, AT), 1)
            case BeginIncremental():
                self._order.append("begin the backup")
                return AT
            case _:
                self._order.append("copy")
                return None


@dataclass
class Site:
    """A run in which every backup begins at once, with the commands and the events."""

    order: list[str]
    told: list[Event]

    def party(self, failure: RecoveryError | None = None) -> Party:
        primary: Any = Primary(self.order, failure)
        return Party(
            primary,
            cast("Any", Agent(self.order)),
            OwnSlot(primary, cast("Any", None), {}, self.told.append, connect_s=1),
            self.told.append,
            Deadlines(stall_s=1, undo_s=1, answer_s=1, connect_s=1),
            cast("Any", None),
            cast("Any", None),
            cast("Any", None),
        )


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(incremental, "read_wal", lambda _: SimpleNamespace(history=None))
    monkeypatch.setattr(incremental, "summaries_since", lambda *_: None)
    monkeypatch.setattr(incremental, "truncated_since", lambda *_, **__: frozenset())
    return Site([], [])


def test_checkpoint_comes_before_the_copy(site: Site) -> None:
    copy(site.party(), COPY)
    assert site.order == ["CHECKPOINT", "copy"]
    assert not [event for event in site.told if isinstance(event, Said)]


def test_checkpoint_comes_before_an_incremental_backup(site: Site) -> None:
    apply_incremental(site.party(), INCREMENTAL)
    assert site.order == ["CHECKPOINT", "begin the backup", "copy"]


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (QueryRefused("CHECKPOINT failed", detail="must be superuser"), ": must be superuser"),
        (Unreachable("CHECKPOINT failed"), ""),
    ],
)
def test_without_a_checkpoint_there_is_a_backup_all_the_same(
    site: Site, failure: RecoveryError, why: str
) -> None:
    copy(site.party(failure), COPY)
    assert site.order == ["CHECKPOINT", "copy"]
    said = [event.line for event in site.told if isinstance(event, Said)]
    assert said == [f"no checkpoint before the backup: CHECKPOINT failed{why}"]


@pytest.mark.parametrize(("begin", "step"), [(copy, COPY), (apply_incremental, INCREMENTAL)])
def test_cancel_during_the_checkpoint_begins_no_backup(
    site: Site, begin: Callable[[Party, Any], object], step: object
) -> None:
    """The signal handler raises it wherever the process is waiting."""
    with pytest.raises(Cancelled):
        begin(site.party(Cancelled("the recovery was cancelled")), step)
    assert site.order == ["CHECKPOINT"]
