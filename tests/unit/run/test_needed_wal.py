"""The primary's WAL must begin where that of an archive ends, also after a checkpoint meanwhile."""

from types import SimpleNamespace
from typing import Any

import pytest

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.archived_wal import FetchedWal, FromArchive, Origin, WalTrial
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.run import needed_wal
from pgpool_recovery.talk.request.host import TryArchive
from tests.unit.plan.situation import SEGMENT, wal

PLACE = Place("/data", "/data.w", is_inside=False, new="/data.w/new")
NAMES = [f"00000001000000000000000{number}" for number in "56789"]


def see(monkeypatch: pytest.MonkeyPatch, oldest: int, *there: str) -> list[str]:
    """Check a plan by which the archive ends with segment 5; return which files were requested."""
    asked: list[str] = []

    def ask(request: TryArchive, *, timeout_s: float) -> WalTrial:
        assert timeout_s > request.timeout_s
        asked.extend(one.name for one in request.wanted)
        return WalTrial(tuple(FetchedWal(name, "00" if name in there else None) for name in asked))

    monkeypatch.setattr(needed_wal, "read_wal", lambda _connection: wal(oldest_segment=oldest))
    archive = FromArchive(
        Origin.OWN, "cp", NAMES[0], NAMES[0], 1, SEGMENT, 6, TimelineId(1), timeout_s=60
    )
    plan = SimpleNamespace(
        needed_segment=6, from_archive=archive, steps=(Reserve(Places(PLACE, None, ())),)
    )
    party: Any = SimpleNamespace(
        connection=None,
        agent=SimpleNamespace(ask=ask),
        slot=SimpleNamespace(renew=lambda: False),
        deadlines=SimpleNamespace(answer_s=5),
    )
    needed_wal.see_slot(party, plan)  # type: ignore[arg-type]
    return asked


def test_nothing_is_asked_for_what_the_primary_still_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert see(monkeypatch, 6) == []
    assert see(monkeypatch, 5) == []


def test_archive_has_what_was_removed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert see(monkeypatch, 9, *NAMES) == [NAMES[1], NAMES[3]]
    assert see(monkeypatch, 7, *NAMES) == [NAMES[1]]


@pytest.mark.parametrize("lacking", [1, 3])
def test_archive_lacks_what_was_removed_meanwhile(
    monkeypatch: pytest.MonkeyPatch, lacking: int
) -> None:
    there = [name for name in NAMES if name != NAMES[lacking]]
    with pytest.raises(Undone, match=f"has removed {NAMES[lacking]} in the meantime"):
        see(monkeypatch, 9, *there)
