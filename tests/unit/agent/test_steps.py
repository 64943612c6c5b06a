"""What the target is when a run is undone, however far it came."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.steps import Steps, needs_stopped
from pgpool_recovery.domain.directory_state import Change, Changed
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.step import (
    KeepToPast,
    Place,
    Places,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    TakeOut,
)
from pgpool_recovery.host.stop import Stop


@pytest.fixture
def places(tmp_path: Path) -> Places:
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    workspace = f"{data}.pgpool_recovery"
    place = Place(str(data), workspace, is_inside=False, new=f"{workspace}/new")
    return Places(data=place, wal=None, tablespaces=())


@pytest.fixture
def steps(places: Places) -> Steps:
    """A run that has taken the directory out of its place."""
    made = Steps(Stop(), lambda _message: None, OwnLogin())
    made.take(Reserve(places), 10, 5)
    made.take(TakeOut(places), 10, 5)
    return made


def journal_of(steps: Steps) -> Journal:
    """Return what a method writes to while it changes the directory."""
    assert steps._journal is not None
    return steps._journal


def test_server_that_was_started_meanwhile_is_left_alone(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at before the lock is taken, and another recovery may have ended in between."""
    data = Path(places.data.path)
    made = Steps(Stop(), lambda _message: None, OwnLogin())
    made.take(Reserve(places), 10, 5)
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n/tmp\n*\n1 2\nready\n")
    monkeypatch.chdir(data)
    for step in (TakeOut(places), RemoveOld(places), SwapIn(places), PutOldBack(places)):
        with pytest.raises(Refused, match="was started"):
            made.take(step, 10, 5)
    assert made.undo() is TargetState.UNTOUCHED
    assert (data / "PG_VERSION").exists()


def test_wal_may_be_added_below_a_server_that_runs_and_nothing_moved(places: Places) -> None:
    """As repoint does for a standby that goes on running."""
    added = KeepToPast(places, places.data.path, (), ("00000003" + "0" * 16,), (), (), {}, 2**24)
    assert not needs_stopped(added)
    assert needs_stopped(replace(added, moved=added.fetched))
    assert needs_stopped(SwapIn(places))


def test_unchanged_directory_is_put_back(steps: Steps, places: Places) -> None:
    assert steps.undo() is TargetState.UNTOUCHED
    assert (Path(places.data.path) / "PG_VERSION").exists()


def test_half_changed_directory_stays_out(steps: Steps, places: Places) -> None:
    journal_of(steps).take(Change(Method.REWIND))
    assert steps.undo() is TargetState.INCOMPLETE
    assert not Path(places.data.path).exists()


def test_changed_directory_that_is_whole_and_in_its_place_is_not_untouched(
    steps: Steps, places: Places
) -> None:
    journal_of(steps).take(Change(Method.REWIND))
    journal_of(steps).take(Changed())
    steps.take(PutInPlace(places), 10, 5)
    assert steps.undo() is TargetState.COPIED
    assert (Path(places.data.path) / "PG_VERSION").exists()
