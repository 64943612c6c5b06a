"""Files are moved out of a pg_wal and others put there; all of that can be undone."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import past, swap
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import Lsn, TimelineId
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.standby import KeepToPast
from pgpool_recovery.files.write import move

SEGMENT = 8192
DEAD, OTHER = "000000010000000000000004", "000000010000000000000003"
NEW = "000000020000000000000004"
HISTORY = b"1\t0/9000\tno recovery target specified\n"


class Primary:
    """A primary on timeline 2 that has flushed five bytes of the segment of the fork."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails

    def history(self, timeline: TimelineId) -> bytes | None:
        return HISTORY if timeline == 2 else None

    def segment(self, timeline: TimelineId, begin: Lsn, size_bytes: int) -> bytearray:
        assert (timeline, begin) == (2, 4 * SEGMENT)
        if self.fails:
            raise Undone("it is gone")
        return bytearray(b"WAL 2")[:size_bytes]


@pytest.fixture
def step(tmp_path: Path) -> KeepToPast:
    data = tmp_path / "data"
    (data / "pg_wal").mkdir(parents=True)
    for name in (DEAD, OTHER):
        (data / "pg_wal" / name).write_text(name)
    workspace = f"{data}.pgpool_recovery"
    place = Place(str(data), workspace, is_inside=False, new=f"{workspace}/new")
    return KeepToPast(
        places=Places(place, None, ()),
        directory=str(data),
        moved=(DEAD, "00000003.history"),
        fetched=(NEW,),
        histories=(TimelineId(2),),
        gaps=(TimelineId(3),),
        conninfo={},
        segment_bytes=SEGMENT,
    )


def pg_wal(step: KeepToPast) -> dict[str, bytes]:
    files = (Path(step.directory) / "pg_wal").iterdir()
    return {file.name: file.read_bytes() for file in files}


def take(step: KeepToPast, source: Primary) -> past.MovedWal:
    moved = past.begin(step)
    past.keep_to_past(step, source, moved)
    return moved


def test_moved_written_and_undone(step: KeepToPast) -> None:
    before = pg_wal(step)
    moved = take(step, Primary())
    after = pg_wal(step)
    assert set(after) == {OTHER, NEW, "00000002.history", "00000003.history"}
    assert after[NEW] == b"WAL 2" + bytes(SEGMENT - 5)
    assert after["00000002.history"] == HISTORY
    assert after["00000003.history"].startswith(b"#")
    moved.restore()
    assert pg_wal(step) == before
    assert not (Path(step.places.data.workspace) / swap.WAL).exists()


def test_only_the_first_bytes_of_a_file(step: KeepToPast) -> None:
    take(replace(step, sizes=(3,)), Primary())
    assert pg_wal(step)[NEW] == b"WAL".ljust(SEGMENT, b"\0")


def test_nothing_is_moved_when_the_primary_does_not_send_it(step: KeepToPast) -> None:
    before, moved = pg_wal(step), past.begin(step)
    with pytest.raises(Undone):
        past.keep_to_past(step, Primary(fails=True), moved)
    assert pg_wal(step) == before
    moved.restore()
    assert pg_wal(step) == before


def test_interrupted_between_two_files(step: KeepToPast, monkeypatch: pytest.MonkeyPatch) -> None:
    before, moved = pg_wal(step), past.begin(step)

    def full(_path: Path, _contents: bytes, *, mode: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(past, "write_file", full)
        with pytest.raises(OSError, match="full"):
            past.keep_to_past(step, Primary(), moved)
    assert DEAD not in pg_wal(step)
    moved.restore()
    assert pg_wal(step) == before


def test_own_file_that_was_put_back_survives_a_second_time(
    step: KeepToPast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary's file of the same name was there, and was removed the first time."""
    (Path(step.directory) / "pg_wal" / NEW).write_text("own")
    before = pg_wal(step)
    moved = take(replace(step, moved=(OTHER, NEW)), Primary())
    assert pg_wal(step)[NEW] != b"own"

    def full(source: Path, target: Path) -> None:
        if source.name == OTHER:
            raise OSError(errno.ENOSPC, "full")
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(past, "move", full)
        with pytest.raises(OSError, match="full"):
            moved.restore()
    assert pg_wal(step)[NEW] == b"own"
    moved.restore()
    assert pg_wal(step) == before


def test_nothing_is_made_aside_when_nothing_is_moved(step: KeepToPast) -> None:
    """For example below a server that is running."""
    take(replace(step, moved=()), Primary())
    assert not Path(step.places.data.workspace).exists()


def test_what_was_moved_waits_until_the_server_runs_well(step: KeepToPast) -> None:
    """A second run adds to it, and the end of a run keeps it; it goes with the old data."""
    workspace, data = Path(step.places.data.workspace), Path(step.directory)
    for number in (1, 2):
        journal = swap.reserve(step.places)
        (data / "pg_wal" / DEAD).write_text(str(number))
        take(step, Primary())
        swap.rest(journal)
        journal.close()
        assert (workspace / swap.WAL / str(number) / DEAD).read_text() == str(number)
    swap.tidy(data)
    assert (workspace / swap.WAL / "1" / DEAD).exists()
    swap.discard_old(data)
    assert not workspace.exists()
