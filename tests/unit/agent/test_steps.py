"""What the target is when a run is undone, however far it came."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory.journal import JOURNAL, Journal
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.steps.steps import Steps, needs_stopped
from pgpool_recovery.domain.directory_state import Change, Changed
from pgpool_recovery.domain.error import Busy, RecoveryError, Refused
from pgpool_recovery.domain.event import Event, Progress
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.step.moving import (
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    TakeOut,
)
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.standby import KeepToPast
from pgpool_recovery.facts.step.transfer import (
    Delta,
    Incremental,
    RestoreBackup,
    Rewind,
    RunCommand,
)
from pgpool_recovery.host import meter
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.protocol import Limits
from pgpool_recovery.talk.request.steps import BeginDelta, BeginIncremental

T = TypeVar("T")


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


def step_of(kind: type[T], places: Places, **fields: object) -> T:
    """Return a step, or a request, of which only its places and these fields are looked at."""
    step = object.__new__(kind)
    for name, value in {"places": places, **fields}.items():
        object.__setattr__(step, name, value)
    return step


IN_PLACE: dict[str, Callable[[Steps, Places], object]] = {
    "rewind": lambda steps, places: steps.take(step_of(Rewind, places), 10, 5),
    "restore": lambda steps, places: steps.take(step_of(RestoreBackup, places), 10, 5),
    "command": lambda steps, places: steps.take(
        step_of(RunCommand, places, method=OwnMethod("own", ("x",), keep_data=True)), 10, 5
    ),
    "incremental": lambda steps, places: steps.incremental.begin(
        BeginIncremental(step_of(Incremental, places), ()), steps.reserved(), Limits()
    ),
    "delta": lambda steps, places: steps.delta.begin(
        step_of(BeginDelta, places, step=step_of(Delta, places, is_whole=False)), steps.reserved()
    ),
    "an interrupted copy": lambda steps, places: steps.delta.begin(
        step_of(BeginDelta, places, step=step_of(Delta, places, is_whole=True)), steps.reserved()
    ),
}


@pytest.mark.parametrize("begins", IN_PLACE.values(), ids=IN_PLACE)
def test_two_names_of_one_file_are_refused_by_each_method_that_writes_into_it(
    steps: Steps, places: Places, begins: Callable[[Steps, Places], object]
) -> None:
    """What is written under the one name is changed under the other, too."""
    database = Path(places.data.new) / "base/5"
    database.mkdir(parents=True)
    (database / "16384").write_bytes(b"a")
    (database / "16385").hardlink_to(database / "16384")
    with pytest.raises(Refused, match="are the same file"):
        begins(steps, places)
    assert steps.undo() is TargetState.UNTOUCHED


@pytest.mark.parametrize("is_half_changed", [True, False])
@pytest.mark.parametrize("begins", IN_PLACE.values(), ids=IN_PLACE)
def test_what_the_disk_did_not_take_is_not_believed(
    places: Places,
    steps: Steps,
    begins: Callable[[Steps, Places], object],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_half_changed: bool,
) -> None:
    """The system keeps it in its cache, where a comparison would find it (fsync(2) has failed)."""
    changed = Path(places.data.new) / "base/5/16384"
    changed.parent.mkdir(parents=True)
    changed.write_bytes(b"written")

    def forget(descriptor: int, *_words: int) -> None:
        """Do what the system does: from now on, everybody reads what the disk has."""
        assert os.path.samestat(os.fstat(descriptor), changed.stat())
        changed.write_bytes(b"as before")

    monkeypatch.setattr(os, "posix_fadvise", forget)
    if is_half_changed:
        journal_of(steps).take(Change(Method.REWIND))
    with pytest.raises((AttributeError, RecoveryError)):  # Only its places are there.
        begins(steps, places)
    assert changed.read_bytes() == (b"as before" if is_half_changed else b"written")


def full(*_words: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_data_that_was_half_changed_is_not_untouched_when_it_cannot_be_reserved(
    steps: Steps, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier run has left it so, and the disk has no room for the next one."""
    journal_of(steps).take(Change(Method.REWIND))
    steps.undo()
    made = Steps(Stop(), lambda _message: None, OwnLogin())
    with monkeypatch.context() as patch:
        patch.setattr(swap, "make_spare", full)
        with pytest.raises(OSError, match="No space"):
            made.take(Reserve(places), 10, 5)
    assert made.has_begun, "its last word says so, too"
    assert made.undo() is TargetState.INCOMPLETE
    made.take(Reserve(places), 10, 5)
    assert made.undo() is TargetState.INCOMPLETE
    assert not made.has_begun


def test_sound_data_is_untouched_when_it_cannot_be_reserved(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Steps(Stop(), lambda _message: None, OwnLogin())
    assert made.undo() is TargetState.UNTOUCHED
    with monkeypatch.context() as patch:
        patch.setattr(swap, "make_spare", full)
        with pytest.raises(OSError, match="No space"):
            made.take(Reserve(places), 10, 5)
    assert made.undo() is TargetState.UNTOUCHED


def test_what_another_recovery_has_is_untouched_by_the_one_that_cannot_have_it(
    steps: Steps, places: Places
) -> None:
    journal_of(steps).take(Change(Method.REWIND))
    made = Steps(Stop(), lambda _message: None, OwnLogin())
    with pytest.raises(Busy):
        made.take(Reserve(places), 10, 5)
    assert made.undo() is TargetState.UNTOUCHED
    assert not made.has_begun


def test_state_is_unknown_when_what_an_earlier_run_wrote_cannot_be_read(
    steps: Steps, places: Places
) -> None:
    journal_of(steps).take(Change(Method.REWIND))
    steps.undo()
    (Path(places.data.workspace) / JOURNAL).write_text("[]")
    made = Steps(Stop(), lambda _message: None, OwnLogin())
    with pytest.raises(Refused, match="cannot be read"):
        made.take(Reserve(places), 10, 5)
    assert made.undo() is TargetState.UNKNOWN


def test_removal_says_that_it_gets_on_and_how_far_it_is(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terabytes take longer than a runner would wait for a silent agent."""
    monkeypatch.setattr(meter, "TOLD_EVERY_S", 0)
    for number in range(3):
        (Path(places.data.path) / str(number)).write_bytes(b"x" * 8192)
    told, events = list[None](), list[Event]()
    made = Steps(Stop(lambda: told.append(None)), events.append, OwnLogin())
    made.take(Reserve(places), 10, 5)
    made.take(RemoveOld(places, size_bytes=5 * 8192), 10, 5)
    made.finish()
    progress = [event for event in events if isinstance(event, Progress)]
    assert told
    assert progress[-1].total_bytes == 5 * 8192
    assert progress[-1].done_bytes >= 3 * 8192
