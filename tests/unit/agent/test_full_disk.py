"""A disk that is full at any write: a failure that says so, a state with a name, and no way lost.

Each story of an agent runs again and again, and each time one more of its calls to the system that
need room succeeds. tests/faults/test_full_disk.py has a real ext4 filesystem without free blocks.
"""

import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import past, swap
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.place import workspaces_of
from pgpool_recovery.agent.directory.spare import SPARE
from pgpool_recovery.agent.directory.workspace import has_old
from pgpool_recovery.agent.method import make_standby as standby
from pgpool_recovery.agent.server import probation as guard
from pgpool_recovery.agent.steps import steps
from pgpool_recovery.agent.steps.steps import Steps
from pgpool_recovery.domain.directory_state import Change, Changed
from pgpool_recovery.domain.error import Busy, NoRoom
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.step.moving import (
    DiscardWaiting,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    TakeOut,
)
from pgpool_recovery.facts.step.place import Places
from pgpool_recovery.facts.step.standby import ConfigureStandby, KeepToPast, Repoint
from pgpool_recovery.facts.step.step import TargetStep
from pgpool_recovery.host.lock import is_locked, lock
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.system_failure import failure_of_system
from pgpool_recovery.talk.request.server import StopAtOnce
from tests.unit.agent.directory.test_swap import Target, _write
from tests.unit.agent.test_steps import journal_of

OWN = {"postgresql.conf": "own", "postgresql.auto.conf": "work_mem = '7MB'\n"}
WAL = {"pg_wal/00000001000000000000000A": "x", "pg_wal/00000002.history": "x"}
CONNINFO = {"host": "primary", "user": "replicator"}
NEEDING_ROOM = ("mkdir", "rename", "link", "symlink", "write", "open", "fsync")


@dataclass
class Disk:
    """A disk on which `free` calls that need room succeed, and then none or all but one.

    `keeps_spare`: what was kept for the notes is there to be used, as on a real one.
    """

    free: int
    is_full_once: bool = False
    keeps_spare: bool = False
    spares: list[Path] = field(default_factory=list)
    has_failed: bool = False
    had_spare: bool = False

    def take(self, name: str, words: tuple[object, ...]) -> None:
        """Use room, or fail for want of it."""
        self.free -= 1
        if self.free >= 0 or (self.is_full_once and self.has_failed):
            return
        is_there = any(spare.exists() for spare in self.spares)
        if self.keeps_spare and self.had_spare and not is_there:
            return
        self.has_failed = True
        self.had_spare = self.had_spare or is_there
        path = words[0] if isinstance(words[0], str | os.PathLike) else None
        second = words[1] if name in ("rename", "link", "symlink") else None
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path, None, second)


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> Iterator[None]:
    """Let the calls to the system that need room ask the disk."""

    def asking(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*words: object, **options: object) -> object:
            needs = name != "open" or (isinstance(words[1], int) and words[1] & os.O_CREAT)
            if needs:
                disk.take(name, words)
            return real(*words, **options)

        return call

    with monkeypatch.context() as patch:
        for name in NEEDING_ROOM:
            patch.setattr(os, name, asking(name, getattr(os, name)))
        patch.setattr(shutil, "copyfileobj", asking("copyfileobj", shutil.copyfileobj))
        yield


class Wal:
    """A primary that has what is asked for."""

    def history(self, _timeline: TimelineId) -> bytes:
        return b"1\t0/A000000\tno recovery target specified\n"

    def segment(self, _timeline: TimelineId, _begin: Lsn, size_bytes: int) -> bytearray:
        return bytearray(size_bytes)


def nothing_but_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs a server or a program of PostgreSQL is no part of these stories, nor is time."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    monkeypatch.setattr(standby, "neutralise", lambda *_words, **_options: None)
    monkeypatch.setattr(steps, "WalSource", lambda *_words, **_options: Wal())


_nothing_but_files = pytest.fixture(autouse=True)(nothing_but_files)


def _configure(places: Places) -> ConfigureStandby:
    return ConfigureStandby(
        places, CONNINFO, "slot", "former", None, "/usr/bin", is_of_primary=False
    )


def _repoint(places: Places) -> Repoint:
    return Repoint(places, CONNINFO, "slot", "former", None, "/usr/bin")


def _keep(places: Places) -> KeepToPast:
    return KeepToPast(
        places.in_place(),
        places.data.path,
        moved=("00000001000000000000000A", "00000002.history"),
        fetched=("00000001000000000000000B",),
        histories=(TimelineId(2),),
        gaps=(),
        conninfo=CONNINFO,
        segment_bytes=4096,
    )


Story = Callable[[Steps, Target], None]


def take(run: Steps, *wanted: TargetStep) -> None:
    for step in wanted:
        run.take(step, 10, 5)


def put_copy(target: Target) -> None:
    """Put a base backup where it grows, with the link to its tablespace."""
    try:
        target.put_copy()
    except OSError as error:  # As a program would say it.
        error.filename = target.places.data.new
        raise
    links = Path(target.places.data.new) / "pg_tblspc"
    links.mkdir()
    (links / "1").symlink_to("/ts")


def copies(run: Steps, target: Target) -> None:
    """A full copy beside the old data."""
    take(run, Reserve(target.places))
    put_copy(target)
    take(run, _configure(target.places), SwapIn(target.places))


def copies_after_removal(run: Steps, target: Target) -> None:
    """A full copy for which the old data makes room."""
    take(run, Reserve(target.places), RemoveOld(target.places))
    put_copy(target)
    take(run, _configure(target.places), SwapIn(target.places))


def changes(run: Steps, target: Target) -> None:
    """A method that changes the only copy, out of its place."""
    own = target.places.in_place()
    take(run, Reserve(target.places), TakeOut(own))
    journal = journal_of(run)
    journal.take(Change(Method.REWIND))
    journal.take(Changed())
    take(run, _configure(own), PutInPlace(own))


def catches_up(run: Steps, target: Target) -> None:
    """The directory becomes a standby where it is, with some WAL of the primary."""
    take(run, Reserve(target.places), _keep(target.places), _repoint(target.places))


def copies_once_more(run: Steps, target: Target) -> None:
    """A full copy where the last one never ran well, and what that replaced waits."""
    take(run, Reserve(target.places), PutOldBack(target.places))
    put_copy(target)
    take(run, _configure(target.places), SwapIn(target.places))


def copies_after_success(run: Steps, target: Target) -> None:
    """A full copy where the last one ran well, and what that replaced was never let go of."""
    take(run, Reserve(target.places), DiscardWaiting(target.places))
    put_copy(target)
    take(run, _configure(target.places), SwapIn(target.places))


STORIES: list[Story] = [
    copies,
    copies_after_removal,
    changes,
    catches_up,
    copies_once_more,
    copies_after_success,
]
WITH_OLD = (copies_once_more, copies_after_success)
LOSES_OLD = (copies_after_removal, changes, copies_after_success)


def new_steps() -> Steps:
    return Steps(Stop(), lambda _event: None, OwnLogin())


def prepared(root: Path, story: Story, *, is_inside: bool) -> Target:
    """Return a node with data, and with data that waits if the story begins so."""
    target = Target(root, is_inside=is_inside)
    target.put_old()
    _write(target.data, OWN | WAL)
    if story in WITH_OLD:
        run = new_steps()
        copies(run, target)
        run.finish()
    return target


def let_go_of(run: Steps) -> None:
    """End as a process does: the kernel gives its locks back."""
    if run._journal is not None:
        run._journal.close()


CASES = [
    *((story, "beside", "once") for story in STORIES),
    *((story, "inside", "with the spare") for story in STORIES),
    *((story, where, "for good") for story in (copies, changes) for where in ("beside", "inside")),
]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory: thousands of small files come and go."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="pgpool_recovery_") as directory:
        yield Path(directory)


@pytest.mark.parametrize(
    ("story", "where", "kind"),
    CASES,
    ids=lambda word: word.__name__ if callable(word) else str(word),
)
def test_full_disk_at_every_write(
    memory: Path, monkeypatch: pytest.MonkeyPatch, story: Story, where: str, kind: str
) -> None:
    for number in itertools.count():
        root = memory / str(number)
        target = prepared(root, story, is_inside=where == "inside")
        before, waited = target.contents(), bool(workspaces_of(target.data))
        spare = Path(target.places.data.workspace) / SPARE
        disk = Disk(number, kind == "once", kind == "with the spare", [spare])
        run, state = new_steps(), None
        with full(monkeypatch, disk):
            try:
                story(run, target)
                run.finish()
            except OSError as error:
                said = failure_of_system(error)
                try:
                    state = run.undo()
                except OSError:
                    assert kind == "for good", "there was room to take it back"
            else:
                if not disk.has_failed:
                    break
                # A directory that is there already needs no room.
                assert kind != "for good", "a full disk went unnoticed"
                shutil.rmtree(root)
                continue
        if state is None:
            let_go_of(run)
        assert isinstance(said, NoRoom)
        assert str(root) in said.message, "which file is told"
        assert said.message.endswith("No space left on device")
        assert "Make room on the filesystem mounted at" in (said.hint or "")
        for workspace in workspaces_of(target.data):
            assert not is_locked(workspace)
        if state is TargetState.UNTOUCHED:
            assert target.contents() == before, f"changed at call {number}"
            assert waited or not leftovers(root), f"something is left at call {number}"
        elif state is not None and story not in LOSES_OLD:
            assert state is TargetState.RESTORED
        assert_second_run_completes(target, story)
        shutil.rmtree(root)
    assert number > 20, "nothing was interrupted"


def leftovers(root: Path) -> list[Path]:
    """Return what a recovery has made in or beside the directories."""
    return [path for path in root.rglob("*") if path.name.endswith("pgpool_recovery")]


def assert_second_run_completes(target: Target, story: Story) -> None:
    """Once there is room: what is left is put in order, and a whole copy replaces it."""
    swap.tidy(target.data)
    assert swap.is_tidy(target.data)
    run = new_steps()
    is_out = swap.away(target.data) is not None
    take(run, Reserve(target.places))
    if has_old(target.places.data):
        take(run, DiscardWaiting(target.places))
    if is_out:
        take(run, RemoveOld(target.places))
    put_copy(target)
    take(run, _configure(target.places), SwapIn(target.places))
    run.finish()
    (target.data / "backup_label").unlink()  # The server has run.
    swap.discard_old(target.data)
    assert leftovers(target.data.parent) == []
    data, _ = target.contents()
    assert data["base/2"] == "new"
    assert data["postgresql.conf"].startswith("own")
    assert any("primary_slot_name = 'slot'" in text for text in data.values())
    assert "work_mem = '7MB'" in data["postgresql.auto.conf"]


def test_failed_reservation_is_not_another_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is asked for the next method at once, and its own lock must not be in the way."""
    target = prepared(tmp_path, copies, is_inside=False)
    run = new_steps()
    for number in itertools.count():
        with full(monkeypatch, Disk(number)), pytest.MonkeyPatch.context():
            try:
                take(run, Reserve(target.places))
                break
            except OSError:
                assert run.undo() is TargetState.UNTOUCHED
        assert leftovers(tmp_path) == []
    with pytest.raises(Busy):
        lock(Path(target.places.data.workspace))
    run.undo()
    assert leftovers(tmp_path) == []


def test_list_that_an_earlier_build_left_empty_is_no_obstacle(tmp_path: Path) -> None:
    """It wrote the list in place, first of all, and the disk was full: nothing was begun."""
    target = prepared(tmp_path, copies, is_inside=False)
    workspace = Path(target.places.data.workspace)
    for text in (b"", b"\0" * 300):
        workspace.mkdir(mode=0o700)
        (workspace / "lock").touch(mode=0o600)
        (workspace / "places").write_bytes(text)
        (workspace / "failed_starts").write_bytes(text)
        swap.tidy(target.data)
        assert swap.is_tidy(target.data)
        assert swap.failed_starts(target.data) == 0
        run = new_steps()
        copies(run, target)
        run.finish()
        (target.data / "backup_label").unlink()
        assert swap.discard_old(target.data)
        assert leftovers(tmp_path) == []


def test_failed_swap_is_taken_back_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tablespace was in its new place already when the data directory could not be moved."""
    target = prepared(tmp_path, copies, is_inside=False)
    before = target.contents()
    run = new_steps()
    take(run, Reserve(target.places))
    put_copy(target)
    rename = Path.rename

    def busy(path: Path, to: str | Path) -> Path:
        if path == target.data:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        return rename(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", busy)
        with pytest.raises(OSError, match="busy"):
            take(run, SwapIn(target.places))
    assert target.contents() != before
    assert run.undo() is TargetState.RESTORED
    assert target.contents() == before
    assert leftovers(tmp_path) == []


def test_interrupted_swap_is_put_back_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its note stands already, and for the renames there is the room that was kept."""
    target = prepared(tmp_path, copies, is_inside=False)
    before, rename, write = target.contents(), Path.rename, os.write
    run = new_steps()
    take(run, Reserve(target.places))
    put_copy(target)
    spare = Path(target.places.data.workspace) / SPARE

    def die(path: Path, to: str | Path) -> Path:
        if path == target.data:
            raise KeyboardInterrupt
        return rename(path, to)

    def need_room(path: Path, to: str | Path) -> Path:
        if spare.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return rename(path, to)

    def write_with_room(descriptor: int, data: bytes) -> int:
        if spare.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            take(run, SwapIn(target.places))
    let_go_of(run)
    assert target.contents() != before
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", need_room)
        patch.setattr(os, "write", write_with_room)
        swap.tidy(target.data)
    assert target.contents() == before
    assert swap.is_tidy(target.data)


def test_wal_that_was_moved_aside_comes_back_when_it_is_asked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time a file could not be moved; no file is lost by that."""
    target = prepared(tmp_path, catches_up, is_inside=False)
    before = target.contents()
    run = new_steps()
    take(run, Reserve(target.places), _keep(target.places))
    assert target.contents() != before

    def denied(*_words: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(past, "move", denied)
        with pytest.raises(OSError, match="Input/output"):
            run.undo()
    assert run.undo() is TargetState.UNTOUCHED
    assert target.contents() == before


def test_server_that_must_not_run_is_stopped_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it failed is counted first; a second primary is worse than a count that is not there."""
    stopped: list[object] = []
    data = prepared(tmp_path, copies, is_inside=False).data
    monkeypatch.setattr(guard, "read_pid_file", lambda _data: "runs" if not stopped else None)
    monkeypatch.setattr(guard, "stop_server", lambda *words: stopped.append(words))
    with full(monkeypatch, Disk(0)):
        assert guard.stop_at_once(StopAtOnce(str(data), (), 1, 2), Stop())
    assert stopped
