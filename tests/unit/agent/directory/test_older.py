"""A workspace of a build that had no journal is read once and converted; nothing is lost.

What such a build leaves after a power failure at each operation was made by that build itself
(older_workspaces.py).
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pgpool_recovery.agent.directory import journal, older, swap
from pgpool_recovery.agent.directory.entry import Entry, decode_entry, encode_entry
from pgpool_recovery.agent.directory.journal import JOURNAL, read_entry
from pgpool_recovery.agent.directory.state import see_state
from pgpool_recovery.domain.directory_state import (
    Changing,
    Finished,
    Free,
    Out,
    Putting,
    Removed,
    Removing,
    Reserved,
    Swapping,
    is_amid,
)
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from tests.unit.agent.directory.test_swap import NEW, OLD, Target
from tests.unit.agent.test_full_disk import (
    assert_second_run_completes,
    copies,
    nothing_but_files,
)

_nothing_but_files = pytest.fixture(autouse=True)(nothing_but_files)
WORKSPACES = json.loads((Path(__file__).parent / "older_workspaces.json").read_text())


class Left(NamedTuple):
    """What a way through a run had left on the disk when the power failed."""

    way: str
    number: int
    is_inside: bool
    tree: dict[str, str | None]

    def __str__(self) -> str:
        return f"{self.way} {'inside' if self.is_inside else 'beside'} {self.number}"


LEFT = [
    Left(made["way"], number, made["is_inside"], tree)
    for made in WORKSPACES
    for number, tree in enumerate(made["trees"])
]


def lay_out(root: Path, left: Left) -> Target:
    for name, text in left.tree.items():
        path = root / name
        if text is None:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_text(text.replace("{root}", str(root)))
    return Target(root, is_inside=left.is_inside)


@pytest.mark.parametrize("left", LEFT, ids=str)
def test_promise_4_what_an_older_build_left_is_converted(tmp_path: Path, left: Left) -> None:
    target = lay_out(tmp_path, left)
    workspace = Path(target.places.data.workspace)
    was_tidy, before = swap.is_tidy(target.data), target.contents()
    swap.tidy(target.data)
    assert not was_tidy or target.contents() == before
    assert swap.is_tidy(target.data)
    assert not any((workspace / name).exists() for name in older.FILES)
    _, state = swap.standing(target.data)
    assert not is_amid(state)
    data, space = target.contents()
    if isinstance(state, Changing | Finished):
        assert not data
        assert (workspace / "new" / "global" / "pg_control").read_text() == "old"
        assert (workspace / "own" / "postgresql.conf").read_text() == "own"
    elif isinstance(state, Removed):
        assert not data
        assert (workspace / "own" / "postgresql.conf").read_text() == "own"
    elif data["PG_VERSION"] == "old":
        assert data == OLD | {"postgresql.auto.conf": "work_mem = '7MB'\n"}
    else:
        assert {name: data.get(name) for name in NEW} == NEW
        assert space == {"1/2": "new", "1/3": "new"}
    if left.way == "notes" and left.number == 3:
        assert swap.former_slot(target.data) == "former"
        assert swap.failed_starts(target.data) == 2
    assert_second_run_completes(target, copies)


def test_every_state_of_such_a_build_is_among_them(tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    seen = set()
    for number, left in enumerate(LEFT):
        target = lay_out(tmp_path / str(number), left)
        seen.add(type(read_entry(Path(target.places.data.workspace)).state))
    assert seen == {Free, Swapping, Removing, Removed, Out, Changing, Finished, Putting}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A node whose last recovery was killed at once, by a build without a journal."""
    made = lay_out(tmp_path, next(left for left in LEFT if left.way == "notes"))
    assert older.is_older(Path(made.places.data.workspace))
    return made


def test_observation_changes_nothing(target: Target) -> None:
    swap.is_tidy(target.data)
    swap.standing(target.data)
    see_state(target.data)
    assert not (Path(target.places.data.workspace) / JOURNAL).exists()


@pytest.mark.parametrize("number", range(len(older.FILES)))
def test_old_files_are_valid_until_the_list_of_places_is_gone_and_then_the_journal(
    target: Target, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Wherever the power fails, none of the files that are left says anything different."""
    workspace = workspace_of(target)
    target.data.rename(workspace / "new")
    (workspace / "taken").write_text('"rewind"')
    (workspace / "failed_starts").write_text("2")
    before, unlink, done = read_entry(workspace), Path.unlink, list[Path]()

    def cut(path: Path, *, missing_ok: bool = False) -> None:
        if path.name in older.FILES:
            if len(done) == number:
                raise OSError("killed")
            done.append(path)
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", cut)
        with pytest.raises(OSError, match="killed"):
            swap.reserve(target.places)
    assert (workspace / JOURNAL).exists()
    assert (workspace / "places").exists() is (number == 0)
    assert read_entry(workspace) == before
    assert before.state == Changing("rewind", None)
    swap.tidy(target.data)
    assert read_entry(workspace) == before


def workspace_of(target: Target) -> Path:
    return Path(target.places.data.workspace)


@pytest.fixture
def upgraded_twice(tmp_path: Path) -> Target:
    """A recovery of this build, then one of an older build, which is killed with the data out."""
    target = Target(tmp_path, is_inside=False)
    target.put_old()
    journal = target.reserve()
    journal.note_failed_start()
    journal.note_failed_start()
    journal.note_former_slot("former")
    swap.rest(journal)
    workspace = workspace_of(target)
    (workspace / "places").write_text(json.dumps([asdict(place) for place in journal.places]))
    (workspace / "taken").write_text('"whole"')
    (workspace / "failed_starts").write_text("1")
    target.data.rename(workspace / "new")
    return target


def test_older_build_that_worked_after_a_journal_was_written_counts(
    upgraded_twice: Target,
) -> None:
    """It does not know the journal, which says that everything is in its place."""
    target = upgraded_twice
    assert not swap.is_tidy(target.data)
    swap.tidy(target.data)
    assert target.contents()[0] == OLD
    assert swap.failed_starts(target.data) == 2
    assert swap.former_slot(target.data) == "former"
    assert not older.is_older(workspace_of(target))


@pytest.mark.parametrize("method", ["rewind", "whole"])
def test_journal_and_older_build_that_contradict_each_other_are_left_to_a_person(
    upgraded_twice: Target, method: str
) -> None:
    target, workspace = upgraded_twice, workspace_of(upgraded_twice)
    entry = decode_entry((workspace / JOURNAL).read_bytes())
    for state in (Finished(), Putting(), Changing("incremental", "out"), Swapping("reserved")):
        (workspace / JOURNAL).write_text(encode_entry(replace(entry, state=state)))
        (workspace / "taken").write_text(json.dumps(method))
        for ask in (swap.tidy, swap.is_tidy, swap.away, swap.failed_starts):
            with pytest.raises(Refused, match=r"journal.json and .*/places contradict") as caught:
                ask(target.data)
        assert caught.value.target is TargetState.UNKNOWN
        assert str(workspace) in (caught.value.hint or "")
        assert (workspace / "new" / "PG_VERSION").exists()


def test_journal_of_a_run_that_was_killed_beside_the_data_is_no_contradiction(
    upgraded_twice: Target,
) -> None:
    workspace = workspace_of(upgraded_twice)
    entry = decode_entry((workspace / JOURNAL).read_bytes())
    (workspace / JOURNAL).write_text(encode_entry(replace(entry, state=Reserved())))
    assert read_entry(workspace).state == Out()


def test_list_that_an_older_build_left_empty_beside_a_journal_says_nothing(target: Target) -> None:
    workspace = workspace_of(target)
    target.reserve()
    before = read_entry(workspace)
    assert before.places
    (workspace / "places").touch()
    assert read_entry(workspace) == before


@pytest.mark.parametrize("is_seen", [True, False])
def test_observation_while_another_agent_converts_it_sees_the_journal(
    target: Target, monkeypatch: pytest.MonkeyPatch, *, is_seen: bool
) -> None:
    """The first file existed when that was checked, or all of them were gone by then."""
    workspace = workspace_of(target)
    target.data.rename(workspace / "new")
    (workspace / "taken").write_text('"rewind"')
    expected = read_entry(workspace)

    def brought_forward(_workspace: Path) -> bool:
        patch.undo()
        swap.reserve(target.places).close()
        return is_seen

    with monkeypatch.context() as patch:
        patch.setattr(journal, "is_older", brought_forward)
        assert read_entry(workspace) == expected


def test_journal_that_was_read_before_the_older_files_went_is_read_once_more(
    upgraded_twice: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is from the time before the older build was installed again."""
    workspace = workspace_of(upgraded_twice)

    def overtaken(file: Path) -> Entry:
        patch.undo()
        before = decode_entry(file.read_bytes())
        with journal.opened(workspace):
            assert not older.is_older(workspace)
        return before

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_read_journal", overtaken)
        assert read_entry(workspace).state == Out()


def test_discard_of_an_older_build_that_was_cut_is_no_obstacle(target: Target) -> None:
    """That build had finished: the server had run, and it removed the files in any order."""
    workspace = workspace_of(target)
    (workspace / "places").unlink()
    (workspace / "former_slot").write_text('"former"')
    (workspace / "old").mkdir()
    assert swap.former_slot(target.data) == "former"
    swap.tidy(target.data)
    assert_second_run_completes(target, copies)


@pytest.mark.parametrize("name", ["taken", "swapping", "condemned", "moving"])
def test_workspace_without_a_list_where_the_data_may_be_is_left_to_a_person(
    target: Target, name: str
) -> None:
    workspace = workspace_of(target)
    (workspace / "places").unlink()
    (workspace / "failed_starts").write_text("1")
    (workspace / name).write_text('"whole"')
    with pytest.raises(Refused, match="places cannot be read"):
        swap.tidy(target.data)


BROKEN = ["", "{", "null", "[]", "[1]", '{"a": 1}', '"text"', "7", "[" * 100_000, "\xff"]
FILES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "places": (swap.tidy, ()),
    "swapping": (swap.tidy, ()),
    "taken": (swap.away, ('"text"',)),
    "former_slot": (swap.former_slot, ('"text"', "")),
    "failed_starts": (swap.failed_starts, ("7", "")),
}


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name in FILES for text in BROKEN if text not in FILES[name][1]],
    ids=lambda word: str(word)[:12],
)
def test_file_that_cannot_be_read_is_named_with_what_to_do(
    target: Target, name: str, text: str
) -> None:
    """After a crash of the filesystem, a full disk or an editor it is not reported as a bug."""
    ask, _ = FILES[name]
    before, file = target.contents(), Path(target.places.data.workspace) / name
    (file.parent / "new").mkdir(exist_ok=True)  # A run was at work.
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(Refused) as caught:
        ask(target.data)
    assert caught.value.message == f"what an earlier recovery wrote to {file} cannot be read"
    assert str(file.parent) in (caught.value.hint or "")
    assert caught.value.target is TargetState.UNKNOWN
    assert target.contents() == before


def test_swap_and_a_whole_directory_out_of_its_place_are_left_to_a_person(target: Target) -> None:
    """No such build does both at a time, and the directory that is out may be the only copy."""
    workspace = Path(target.places.data.workspace)
    (workspace / "swapping").write_text("{}")
    for name in ("whole", "finished", "done"):
        (workspace / "taken").write_text(json.dumps(name))
        with pytest.raises(Refused, match="taken cannot be read"):
            swap.tidy(target.data)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("name", older.FILES)
def test_file_of_another_user_is_refused(target: Target, name: str) -> None:
    file: Any = Path(target.places.data.workspace) / name
    file.touch()
    os.chown(file, 65534, -1)
    with pytest.raises(Refused, match="cannot be read") as caught:
        swap.tidy(target.data)
    assert "belongs to nobody" in (caught.value.detail or "")
