"""Promises 3 and 4: wherever a crash happens, the old data or the whole copy can be found."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import older, own_files, spare, swap, workspace
from pgpool_recovery.agent.directory.journal import Journal
from pgpool_recovery.agent.directory.place import observe_place
from pgpool_recovery.domain.directory_state import Change, Changing, Restored
from pgpool_recovery.domain.error import Busy, Refused
from pgpool_recovery.facts.step.place import Place, Places, TablespacePlace
from pgpool_recovery.files.write import sync, write_file
from pgpool_recovery.host.lock import lock, unlock

OLD = {"PG_VERSION": "old", "global/pg_control": "old", "base/1": "old", "postgresql.conf": "own"}
NEW = {"PG_VERSION": "new", "global/pg_control": "new", "base/1": "new", "base/2": "new"}
SPACE_OLD = {"1/2": "old"}
SPACE_NEW = {"1/2": "new", "1/3": "new"}


class CrashError(Exception):
    """The power failed."""


class Target:
    """A data directory and a tablespace, with copies that wait to be put in place."""

    journal: Journal

    def __init__(self, root: Path, *, is_inside: bool) -> None:
        self.data, self.space = root / "data", root / "space" / "PG_15_1"
        self.places = Places(
            data=_place(self.data, "new", is_inside=is_inside),
            wal=None,
            tablespaces=(
                TablespacePlace(
                    oid=1,
                    location=str(self.space.parent),
                    place=_place(self.space, "new/PG_15_1", is_inside=False),
                ),
            ),
        )

    def put_old(self) -> None:
        _write(self.data, OLD)
        _write(self.space, SPACE_OLD)

    def put_copy(self) -> None:
        _write(Path(self.places.data.new), NEW | {"backup_label": "new"})
        _write(Path(self.places.tablespaces[0].place.new), SPACE_NEW)

    def contents(self) -> tuple[dict[str, str], dict[str, str]]:
        return _read(self.data), _read(self.space)

    def reserve_and_copy(self) -> Journal:
        """Return the journal of a run that has made its copies, and whose process is gone.

        The journal can still be used, as if the process were there.
        """
        journal = self.reserve()
        self.put_copy()
        return journal

    def reserve(self) -> Journal:
        journal = swap.reserve(self.places)
        journal.close()
        return journal


def _place(path: Path, new: str, *, is_inside: bool) -> Place:
    beside = f"{path}/pgpool_recovery" if is_inside else f"{path}.pgpool_recovery"
    return Place(path=str(path), workspace=beside, is_inside=is_inside, new=f"{beside}/{new}")


def _write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def _read(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "pgpool_recovery" not in path.relative_to(directory).parts
    }


@pytest.fixture(params=[False, True], ids=["beside", "inside"])
def target(tmp_path: Path, request: pytest.FixtureRequest) -> Target:
    return Target(tmp_path, is_inside=request.param)


@contextmanager
def crash_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[None]:
    """Make the operation `number` on the filesystem fail, and all after it."""
    done = itertools.count()

    def counted(operation: Callable[..., object]) -> Callable[..., object]:
        def run(*words: object, **options: object) -> object:
            if next(done) >= number:
                raise CrashError
            return operation(*words, **options)

        return run

    with monkeypatch.context() as patch:
        for name in ("rename", "rmdir", "unlink", "mkdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(os, "unlink", counted(os.unlink))
        patch.setattr(os, "rmdir", counted(os.rmdir))
        for module in (swap, older):
            patch.setattr(module, "sync", counted(sync))
        patch.setattr(spare, "write_file", counted(write_file))
        patch.setattr(workspace, "sync", counted(sync))
        yield


def crashes(
    monkeypatch: pytest.MonkeyPatch, again: Callable[[], Target], action: Callable[[Target], object]
) -> Iterator[Target]:
    """Run `action` on fresh targets, with the crash one operation later each time."""
    for number in itertools.count():
        target = again()
        try:
            with crash_at(monkeypatch, number):
                action(target)
        except CrashError:
            yield target
        else:
            assert number > 5, "nothing was interrupted"
            return


def test_swap_puts_copy_in_place_and_lets_old_wait(target: Target) -> None:
    target.put_old()
    swap.swap(target.reserve_and_copy(), target.places)
    assert target.contents() == (NEW | {"backup_label": "new"}, SPACE_NEW)
    assert _read(Path(target.places.data.old)) == OLD
    assert _read(Path(target.places.tablespaces[0].place.old)) == SPACE_OLD


def test_swap_into_nothing(target: Target) -> None:
    swap.swap(target.reserve_and_copy(), target.places)
    assert target.contents()[0] == NEW | {"backup_label": "new"}


def test_put_back_restores_everything(target: Target) -> None:
    target.put_old()
    journal = target.reserve_and_copy()
    swap.swap(journal, target.places)
    assert swap.undo(journal) == Restored()
    swap.rest(journal)
    assert target.contents() == (OLD, SPACE_OLD)
    assert not Path(target.places.data.workspace).exists()


def test_put_back_into_nothing_removes_the_copy(target: Target) -> None:
    journal = target.reserve_and_copy()
    swap.swap(journal, target.places)
    swap.undo(journal)
    swap.rest(journal)
    assert target.contents() == ({}, {})


@pytest.mark.parametrize("is_inside", [False, True])
def test_promise_4_interrupted_swap_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_inside: bool
) -> None:
    """After a crash in the swap, tidy restores the old data unless the swap was complete."""

    def again() -> Target:
        made = Target(Path(tmp_path, str(next(numbers))), is_inside=is_inside)
        made.put_old()
        made.journal = made.reserve_and_copy()
        return made

    numbers = itertools.count()
    seen, tidiness = set(), set()
    for target in crashes(monkeypatch, again, lambda made: swap.swap(made.journal, made.places)):
        was_tidy, before = swap.is_tidy(target.data), target.contents()
        swap.tidy(target.data)
        contents = target.contents()
        assert not was_tidy or contents == before, "is_tidy said that there was nothing to do"
        assert swap.is_tidy(target.data)
        tidiness.add(was_tidy)
        seen.add(contents[0] == OLD)
        if contents != (OLD, SPACE_OLD):
            assert contents == (NEW | {"backup_label": "new"}, SPACE_NEW)
            assert _read(Path(target.places.data.old)) == OLD
    assert True in seen
    assert tidiness == {True, False}


@pytest.mark.parametrize("is_inside", [False, True])
def test_promise_4_crash_while_putting_back_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_inside: bool
) -> None:
    def again() -> Target:
        made = Target(Path(tmp_path, str(next(numbers))), is_inside=is_inside)
        made.put_old()
        made.journal = made.reserve_and_copy()
        swap.swap(made.journal, made.places)
        return made

    def put_back(target: Target) -> None:
        swap.undo(target.journal)

    numbers = itertools.count()
    for target in crashes(monkeypatch, again, put_back):
        swap.tidy(target.data)
        data, space = target.contents()
        if data != OLD:  # It had not begun.
            assert (data, space) == (NEW | {"backup_label": "new"}, SPACE_NEW)
        else:
            assert space == SPACE_OLD


@pytest.mark.parametrize("is_inside", [False, True])
def test_promise_4_interrupted_removal_is_finished_and_own_files_survive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_inside: bool
) -> None:
    def again() -> Target:
        made = Target(Path(tmp_path, str(next(numbers))), is_inside=is_inside)
        made.put_old()
        made.journal = made.reserve()
        return made

    def remove(made: Target) -> None:
        swap.remove_old_data(made.journal, made.places)

    numbers = itertools.count()
    for target in crashes(monkeypatch, again, remove):
        was_tidy, before = swap.is_tidy(target.data), target.contents()
        swap.tidy(target.data)
        assert not was_tidy or target.contents() == before
        assert target.contents()[0] in (OLD, {})
        own = own_files.own_directory(target.data)
        assert (own / "postgresql.conf").read_text() == "own"


@pytest.mark.parametrize("is_inside", [False, True])
def test_promise_3_waiting_copy_is_put_back_in_place_of_one_that_never_ran_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_inside: bool
) -> None:
    """Even if the primary has dropped the tablespace meanwhile, and wherever a crash happens."""

    def again() -> Target:
        made = Target(Path(tmp_path, str(next(numbers))), is_inside=is_inside)
        made.put_old()
        journal = made.reserve_and_copy()
        swap.swap(journal, made.places)
        made.journal = swap.reserve(replace(made.places, tablespaces=()))
        made.journal.close()
        return made

    def put_back(target: Target) -> None:
        swap.put_waiting_back(target.journal)

    numbers = itertools.count()
    for target in crashes(monkeypatch, again, put_back):
        swap.tidy(target.data)
        if target.contents()[0] != OLD:  # It had not begun.
            target.reserve()
            put_back(target)
        assert target.contents() == (OLD, SPACE_OLD)


def test_own_files_that_were_repaired_after_a_failure_stay_so(target: Target) -> None:
    target.put_old()
    _write(target.data, {"conf.d/broken": "old", "broken.conf": "old"})
    journal = target.reserve_and_copy()
    own_files.keep_own_files(target.data, Path(target.places.data.new))
    swap.swap(journal, target.places)
    (target.data / "conf.d" / "broken").unlink()
    (target.data / "broken.conf").unlink()
    (target.data / "postgresql.conf").write_text("repaired")
    swap.put_waiting_back(target.reserve())
    assert target.contents() == (OLD | {"postgresql.conf": "repaired"}, SPACE_OLD)


def test_waiting_copy_goes_when_the_new_server_has_run(target: Target) -> None:
    target.put_old()
    swap.swap(target.reserve_and_copy(), target.places)
    journal = target.reserve()
    swap.discard_waiting(journal)
    swap.rest(journal)
    assert target.contents() == (NEW | {"backup_label": "new"}, SPACE_NEW)
    assert not Path(target.places.data.workspace).exists()
    assert not Path(target.places.tablespaces[0].place.workspace).exists()


def test_discard_old_refuses_before_the_new_server_ran(target: Target) -> None:
    target.put_old()
    swap.swap(target.reserve_and_copy(), target.places)
    with pytest.raises(Refused, match="has not been started"):
        swap.discard_old(target.data)
    (target.data / "backup_label").unlink()
    assert swap.discard_old(target.data)
    assert not Path(target.places.data.workspace).exists()
    assert not Path(target.places.tablespaces[0].place.workspace).exists()
    assert not swap.discard_old(target.data)


def test_promise_6_one_recovery_at_a_time(target: Target) -> None:
    journal = swap.reserve(target.places)
    with pytest.raises(Busy):
        swap.reserve(target.places)
    journal.close()
    target.reserve()


def test_half_copy_of_a_run_that_was_killed_meanwhile_goes_before_the_next_begins(
    target: Target,
) -> None:
    """The data directory moves to where the copy was growing, and would be mixed with it."""
    target.put_old()
    target.reserve_and_copy()
    journal = swap.reserve(target.places)
    assert not Path(target.places.data.new).exists()
    assert not Path(target.places.tablespaces[0].place.new).exists()
    swap.take_data_out(journal, target.places.data)
    assert _read(Path(target.places.data.new)) == OLD
    swap.undo(journal)
    assert target.contents() == (OLD, SPACE_OLD)
    journal.close()


def test_data_that_is_half_changed_stays_when_the_next_run_begins(target: Target) -> None:
    target.put_old()
    journal = target.reserve()
    swap.take_data_out(journal, target.places.data)
    journal.take(Change("rewind"))
    journal = swap.reserve(target.places)
    assert journal.state == Changing("rewind", "out")
    assert _read(Path(target.places.data.new)) == OLD
    journal.close()


def test_tidy_leaves_a_running_recovery_alone(target: Target) -> None:
    journal = swap.reserve(target.places)
    target.put_copy()
    with pytest.raises(Busy):
        swap.tidy(target.data)
    assert Path(target.places.data.new).exists()
    journal.close()
    swap.tidy(target.data)
    assert not Path(target.places.data.new).exists()


def test_lock_is_released(tmp_path: Path) -> None:
    unlock(lock(tmp_path))
    unlock(lock(tmp_path))


PRECIOUS = {"postgresql.conf": "precious"}
NOBODY = 65534


def forge(workspace: Path, precious: Path) -> None:
    """Write a journal that would empty a directory that the workspace is not beside."""
    inner = precious / "pgpool_recovery"
    (inner / "condemned").mkdir(parents=True)
    place = Place(path=str(precious), workspace=str(inner), is_inside=True, new=f"{inner}/new")
    workspace.mkdir()
    (workspace / "places").write_text(json.dumps([asdict(place)]))
    (workspace / "swapping").write_text(json.dumps({str(precious): True}))


ASKED: list[Callable[[Path], object]] = [
    swap.tidy,
    swap.is_tidy,
    swap.away,
    swap.discard_old,
    swap.failed_starts,
    swap.former_slot,
    swap.note_failed_start,
    own_files.own_directory,
    lambda data: observe_place(data, is_own=True),
]
"""Every function that examines a workspace of a data directory."""


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("spoil", ["owner", "mode", "link"])
def test_promise_13_workspace_that_others_can_have_made_is_not_trusted(
    tmp_path: Path, ask: Callable[[Path], object], spoil: str
) -> None:
    data, precious, workspace = (
        tmp_path / "data",
        tmp_path / "precious",
        tmp_path / "data.pgpool_recovery",
    )
    _write(precious, PRECIOUS)
    data.mkdir()  # Without own files, so that they are looked for in the workspace.
    forge(workspace, precious)
    if spoil == "owner":
        os.chown(workspace, NOBODY, -1)
    elif spoil == "mode":
        workspace.chmod(0o777)
    else:
        workspace.rename(tmp_path / "elsewhere")
        workspace.symlink_to("elsewhere")
    with pytest.raises(Refused, match=str(workspace)) as caught:
        ask(data)
    assert "mode 0700" in (caught.value.hint or "")
    assert _read(precious) == PRECIOUS


@pytest.mark.parametrize(
    "place",
    [
        {"path": "{root}/precious", "workspace": "{root}/data.pgpool_recovery"},
        {"path": "{root}/precious/../data"},
        {"path": "data", "workspace": "data.pgpool_recovery"},
        {"new": "{root}/precious"},
        {"new": "{root}/data.pgpool_recovery/new/../../precious"},
        {"new": "{root}/data.pgpool_recovery/old"},
        {"is_inside": True},
        {
            "path": "{root}/precious",
            "workspace": "{root}/precious.pgpool_recovery",
            "new": "{root}/precious.pgpool_recovery/new",
        },
    ],
)
def test_place_that_this_target_cannot_have_is_refused(
    tmp_path: Path, place: dict[str, object]
) -> None:
    _write(tmp_path / "precious", PRECIOUS)
    data = asdict(_place(tmp_path / "data", "new", is_inside=False))
    changed = {
        key: value.format(root=tmp_path) if isinstance(value, str) else value
        for key, value in place.items()
    }
    workspace = tmp_path / "data.pgpool_recovery"
    (workspace / "condemned").mkdir(parents=True)
    (workspace / "places").write_text(json.dumps([data | changed]))
    (workspace / "swapping").write_text(json.dumps({str(tmp_path / "precious"): True}))
    with pytest.raises(Refused, match="places cannot be read"):
        swap.tidy(tmp_path / "data")
    assert _read(tmp_path / "precious") == PRECIOUS


@pytest.mark.usefixtures("as_root")
def test_workspace_of_a_tablespace_is_examined_too(target: Target) -> None:
    target.put_old()
    target.reserve_and_copy()
    os.chown(target.places.tablespaces[0].place.workspace, NOBODY, -1)
    with pytest.raises(Refused, match="belongs to nobody"):
        swap.tidy(target.data)
    with pytest.raises(Refused, match="belongs to nobody"):
        swap.reserve(target.places)


@pytest.mark.usefixtures("as_root")
def test_workspace_of_another_user_is_refused(target: Target) -> None:
    """Where every user can make one, another user may have made it first."""
    target.put_old()
    workspace = Path(target.places.data.workspace)
    workspace.mkdir()
    os.chown(workspace, NOBODY, -1)
    with pytest.raises(Refused, match="belongs to nobody"):
        swap.reserve(target.places)
    assert target.contents() == (OLD, SPACE_OLD)


def test_data_that_was_created_by_hand_since_counts(target: Target) -> None:
    """What an interrupted rewind left in the workspace says nothing about that."""
    target.put_old()
    journal = target.reserve()
    swap.take_data_out(journal, target.places.data)
    space = Path(target.places.data.workspace)
    journal.take(Change("rewind"))
    swap.tidy(target.data)
    assert swap.away(target.data) == (space / "new", Changing("rewind", "out"))
    _write(target.data, {"PG_VERSION": "hand", "global/pg_control": "hand"})
    assert swap.away(target.data) is None
    swap.tidy(target.data)
    assert not space.exists()
    assert _read(target.data) == {"PG_VERSION": "hand", "global/pg_control": "hand"}
