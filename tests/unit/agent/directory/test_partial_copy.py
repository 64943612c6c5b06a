"""What an interrupted full copy left stays until it is completed, replaced or of no use."""

import json
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import swap
from pgpool_recovery.agent.directory.entry import (
    Copy,
    Entry,
    NotAnEntry,
    decode_entry,
    encode_entry,
)
from pgpool_recovery.agent.directory.journal import Journal, read_entry
from pgpool_recovery.agent.method.partial_copy import make_whole
from pgpool_recovery.domain.directory_state import Removed, Reserved
from pgpool_recovery.facts.step.place import Place
from pgpool_recovery.host.stop import Stop
from tests.unit.agent.directory.test_swap import (
    OLD,
    SPACE_NEW,
    SPACE_OLD,
    Target,
    crashes,
    target,
)

__all__ = ["target"]


@pytest.fixture(autouse=True)
def _much_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep copies of this size, which are as small as tests are."""
    monkeypatch.setattr(swap, "WORTH_KEEPING_BYTES", 1)


def copy_of(target: Target) -> Copy:
    return Copy("7298271828459045235", 1, {p.path: p.new for p in target.places.all()})


def begin_copy(target: Target, *, is_recorded: bool = True) -> Journal:
    """Return the journal of a run that is in the middle of its copy."""
    journal = swap.reserve(target.places)
    if is_recorded:
        journal.note_copy(copy_of(target))
    target.put_copy()
    return journal


def is_there(target: Target) -> bool:
    return all(Path(place.new).is_dir() for place in target.places.all())


def test_copy_stays_when_its_run_is_undone_and_the_data_is_as_it_was(target: Target) -> None:
    target.put_old()
    journal = begin_copy(target)
    swap.undo(journal)
    swap.rest(journal)
    journal.close()
    assert is_there(target)
    assert target.contents() == (OLD, SPACE_OLD)
    assert read_entry(journal.workspace).copy == copy_of(target)
    swap.tidy(target.data)
    assert is_there(target)


def test_copy_stays_when_its_agent_is_killed(target: Target) -> None:
    target.put_old()
    begin_copy(target).close()
    swap.tidy(target.data)
    assert is_there(target)
    journal = swap.reserve(target.places, keeps_copy=True)
    assert is_there(target)
    assert journal.copy == copy_of(target)
    journal.close()


def test_copy_that_waits_has_no_control_file(target: Target) -> None:
    """It may have been complete; no server must be started where it waits."""
    target.put_old()
    journal = begin_copy(target)
    control = Path(target.places.data.new) / "global" / "pg_control"
    control.parent.mkdir(exist_ok=True)
    control.write_text("complete")
    swap.undo(journal)
    swap.rest(journal)
    journal.close()
    assert is_there(target)
    assert not control.exists()
    assert target.contents() == (OLD, SPACE_OLD)


def test_other_plans_and_an_end_remove_it(target: Target) -> None:
    target.put_old()
    begin_copy(target).close()
    journal = swap.reserve(target.places)
    assert journal.copy is None
    assert not is_there(target)
    journal.note_copy(copy_of(target))
    target.put_copy()
    swap.forget_copy(journal)
    swap.rest(journal)
    journal.close()
    assert not journal.workspace.exists()


def test_little_is_not_kept(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "WORTH_KEEPING_BYTES", 2**20)
    target.put_old()
    journal = begin_copy(target)
    swap.undo(journal)
    swap.rest(journal)
    journal.close()
    assert not journal.workspace.exists()


def test_old_data_goes_and_the_copy_stays(target: Target) -> None:
    target.put_old()
    begin_copy(target).close()
    journal = swap.reserve(target.places, keeps_copy=True)
    swap.remove_old_data(journal, target.places)
    assert journal.state == Removed()
    assert is_there(target)
    swap.undo(journal)
    swap.rest(journal)
    journal.close()
    assert is_there(target)
    assert read_entry(journal.workspace).state == Removed()


def test_copy_that_is_put_into_place_is_no_copy_any_more(target: Target) -> None:
    target.put_old()
    journal = begin_copy(target)
    swap.swap(journal, target.places)
    assert journal.copy is None
    swap.undo(journal)
    assert journal.state != Reserved()
    assert target.contents() == (OLD, SPACE_OLD)
    assert not is_there(target)
    journal.close()


@pytest.mark.parametrize("is_inside", [False, True])
def test_crash_at_any_point_leaves_old_or_new_data_and_never_a_mixture(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, *, is_inside: bool
) -> None:
    """From an interrupted copy to its place: whatever is interrupted, the old data comes back."""

    def again() -> Target:
        target = Target(tmp_path_factory.mktemp("crash"), is_inside=is_inside)
        target.put_old()
        begin_copy(target).close()
        return target

    def complete(target: Target) -> None:
        journal = swap.reserve(target.places, keeps_copy=True)
        try:
            swap.swap(journal, target.places)
        finally:
            journal.close()

    for crashed in crashes(monkeypatch, again, complete):
        swap.tidy(crashed.data)
        assert crashed.contents() == (OLD, SPACE_OLD)
        copy = read_entry(Path(crashed.places.data.workspace)).copy
        assert copy is None or is_there(crashed), "the journal names what is not there"


def test_links_of_a_copy_lead_to_its_own_parts(target: Target) -> None:
    """A copy that was configured has the links that it will have in its place."""
    begin_copy(target).close()
    new = Path(target.places.data.new)
    (new / "pg_tblspc").mkdir(exist_ok=True)
    (new / "pg_tblspc" / "1").symlink_to(target.space.parent)
    (new / "pg_tblspc" / "7").symlink_to("/elsewhere")
    make_whole(target.places, Stop())
    links = {entry.name: entry.readlink() for entry in (new / "pg_tblspc").iterdir()}
    assert links == {"1": Path(target.places.tablespaces[0].copy_location)}
    assert (new / "pg_wal").is_dir()
    space = Path(target.places.tablespaces[0].place.new)
    assert {name: (space / name).read_text() for name in SPACE_NEW} == SPACE_NEW


def test_own_files_in_a_copy_are_not_written_through(target: Target) -> None:
    target.put_old()
    begin_copy(target).close()
    new, own = Path(target.places.data.new), target.data / "large.conf"
    own.write_text("the node's own")
    (new / "large.conf").hardlink_to(own)
    make_whole(target.places, Stop())
    assert not (new / "large.conf").exists()
    assert own.read_text() == "the node's own"


PLACE = Place("/data", "/data.pgpool_recovery", is_inside=False, new="/data.pgpool_recovery/new")
COPY = Copy("7", 1_700_000_000, {"/data": "/data.pgpool_recovery/new"})


def test_entry_without_a_copy_is_one_that_every_build_reads() -> None:
    plain = Entry(places=(PLACE,), state=Reserved())
    assert json.loads(encode_entry(plain))["version"] == 1
    assert "copy" not in json.loads(encode_entry(plain))
    assert decode_entry(encode_entry(plain).encode()) == plain


def test_entry_with_a_copy_is_read_back() -> None:
    entry = Entry(places=(PLACE,), state=Reserved(), copy=COPY)
    assert json.loads(encode_entry(entry))["version"] == 2
    assert decode_entry(encode_entry(entry).encode()) == entry


@pytest.mark.parametrize(
    "spoilt",
    [
        None,
        {},
        {"system_identifier": 7, "begun_s": 1, "layout": {}},
        {"system_identifier": "7", "begun_s": True, "layout": {}},
        {"system_identifier": "7", "begun_s": 1, "layout": []},
        {"system_identifier": "7", "begun_s": 1, "layout": {"/data": 1}},
        {"system_identifier": "7", "begun_s": 1, "layout": {}, "more": 1},
    ],
)
def test_copy_that_is_not_understood_is_refused(spoilt: object) -> None:
    entry = json.loads(encode_entry(Entry(places=(PLACE,), state=Reserved(), copy=COPY)))
    with pytest.raises(NotAnEntry):
        decode_entry(json.dumps({**entry, "copy": spoilt}).encode())
