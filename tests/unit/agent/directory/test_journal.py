"""The journal is written whole or not at all; whatever a crash leaves, a recovery can go on."""

import errno
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.agent.directory import spare, swap
from pgpool_recovery.agent.directory.entry import (
    VERSION,
    Entry,
    NotAnEntry,
    decode_entry,
    encode_entry,
)
from pgpool_recovery.agent.directory.journal import JOURNAL, MAX_BYTES, Journal, read_entry
from pgpool_recovery.domain.directory_state import (
    Changing,
    Finished,
    Free,
    PutIn,
    Putting,
    State,
    Swap,
    Swapped,
    Swapping,
    is_amid,
)
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.facts.step.place import Place
from pgpool_recovery.files.write import write_file
from tests.unit.agent.directory.test_swap import NEW, OLD, Target
from tests.unit.agent.test_full_disk import (
    STORIES,
    Story,
    assert_second_run_completes,
    let_go_of,
    new_steps,
    nothing_but_files,
    prepared,
)
from tests.unit.domain.test_directory_state import STATES, name_of

_nothing_but_files = pytest.fixture(autouse=True)(nothing_but_files)


class PowerLossError(BaseException):
    """The power failed: no cleanup code runs any more."""


PLACE = Place("/data", "/data.pgpool_recovery", is_inside=False, new="/data.pgpool_recovery/new")


@pytest.mark.parametrize("state", STATES, ids=name_of)
def test_record_is_read_back_unchanged(state: State) -> None:
    entry = Entry((PLACE,), state, former_slot="slot", failed_starts=3)
    assert decode_entry(encode_entry(entry).encode()) == entry


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_not_a_record(data: bytes) -> None:
    with pytest.raises(NotAnEntry):
        decode_entry(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
WHOLE = json.loads(encode_entry(Entry((PLACE,), Changing("rewind", "out"), "slot", 1)))


def paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    for key, within in enumerate(value) if isinstance(value, list) else inner:
        yield from paths(within, (*path, key))


@given(st.sampled_from(list(paths(WHOLE))), JSON)
def test_any_part_with_another_value_is_not_a_bug(path: tuple[Any, ...], other: object) -> None:
    """The result is another entry, or it is rejected."""
    value = json.loads(json.dumps(WHOLE))
    if path:
        within = value
        for key in path[:-1]:
            within = within[key]
        within[path[-1]] = other
    else:
        value = other
    try:
        entry = decode_entry(json.dumps(value).encode())
    except NotAnEntry:
        return
    assert json.loads(encode_entry(entry)) == value


@pytest.mark.parametrize("missing", ["version", "places", "state", "node"])
def test_record_with_more_or_fewer_fields_is_rejected(missing: str) -> None:
    for value in ({**WHOLE, "more": 1}, {k: v for k, v in WHOLE.items() if k != missing}):
        with pytest.raises(NotAnEntry):
            decode_entry(json.dumps(value).encode())


@pytest.fixture
def target(tmp_path: Path) -> Target:
    made = Target(tmp_path, is_inside=False)
    made.put_old()
    made.reserve_and_copy()
    return made


def journal_of(target: Target) -> Path:
    return Path(target.places.data.workspace) / JOURNAL


ASK: list[Callable[[Path], object]] = [
    swap.tidy,
    swap.is_tidy,
    swap.away,
    swap.standing,
    swap.discard_old,
    swap.failed_starts,
    swap.former_slot,
    swap.note_failed_start,
]
"""Every function that reads a journal."""
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "zeros": b"\0" * 300,
    "cut": encode_entry(Entry((PLACE,), Finished())).encode()[:60],
    "a list": b"[]",
    "a number": b"7",
    "no version": b'{"places": []}',
    "a version that is true": b'{"version": true}',
    "another state": json.dumps({**WHOLE, "state": {"is": "Lost"}}).encode(),
    "a state with more": json.dumps({**WHOLE, "state": {"is": "Out", "more": 1}}).encode(),
    "a state without a place": json.dumps({**WHOLE, "places": []}).encode(),
    "a count below nothing": json.dumps(
        {**WHOLE, "node": {"former_slot": None, "failed_starts": -1}}
    ).encode(),
    "a NUL": json.dumps({**WHOLE, "node": {"former_slot": "a\0", "failed_starts": 0}}).encode(),
    "half a character": b'{"version": 1, "places": [{"path": "\\ud800"}]}',
    "too deep": b"[" * 100_000,
    "Latin-1": b'"\xff"',
    "too much": b" " * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("ask", ASK, ids=lambda word: word.__name__)
@pytest.mark.parametrize("what", BROKEN)
def test_journal_that_cannot_be_read_is_named_with_what_to_do(
    target: Target, what: str, ask: Callable[[Path], object]
) -> None:
    """After a crash of the filesystem or an editor it is not reported as a bug; nothing is lost."""
    before, file = target.contents(), journal_of(target)
    file.write_bytes(BROKEN[what])
    with pytest.raises(Refused) as caught:
        ask(target.data)
    assert caught.value.message == f"what an earlier recovery wrote to {file} cannot be read"
    assert caught.value.detail
    assert str(file.parent) in (caught.value.hint or "")
    assert caught.value.target is TargetState.UNKNOWN
    with pytest.raises(Refused, match="cannot be read"):
        swap.reserve(target.places)
    assert target.contents() == before
    assert (file.parent / "new").exists()


def test_places_of_another_target_are_refused(target: Target) -> None:
    file = journal_of(target)
    text = file.read_text().replace("data.pgpool_recovery", "other.pgpool_recovery")
    file.write_text(text)
    with pytest.raises(Refused, match="cannot be read"):
        swap.tidy(target.data)


@pytest.mark.parametrize("ask", ASK, ids=lambda word: word.__name__)
def test_journal_of_a_newer_build_is_left_alone(
    target: Target, ask: Callable[[Path], object]
) -> None:
    file = journal_of(target)
    file.write_text(json.dumps({"version": VERSION + 1, "state": "elsewhere"}))
    with pytest.raises(Refused) as caught:
        ask(target.data)
    assert caught.value.message == f"{file} was written by a newer version of pgpool-recovery"
    assert f"version {VERSION + 1}" in (caught.value.detail or "")
    assert "Install that version" in (caught.value.hint or "")
    assert json.loads(file.read_text())["state"] == "elsewhere"


@pytest.mark.usefixtures("as_root")
def test_journal_of_another_user_is_refused(target: Target) -> None:
    os.chown(journal_of(target), 65534, -1)
    with pytest.raises(Refused, match="cannot be read") as caught:
        swap.tidy(target.data)
    assert "belongs to nobody" in (caught.value.detail or "")


def test_it_is_on_disk_before_it_is_seen(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the file, then its name: a power failure leaves the previous journal or this one."""
    done: list[str] = []

    def noting(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*words: Any, **options: Any) -> object:
            what = name
            if name == "fsync":
                what += " directory" if Path(f"/proc/self/fd/{words[0]}").is_dir() else " file"
            done.append(what)
            return real(*words, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("write", "fsync", "rename"):
            patch.setattr(os, name, noting(name, getattr(os, name)))
        swap.reserve(target.places).note_former_slot("slot")
    order = ["write", "fsync file", "rename", "fsync directory"]
    assert done[-4:] == order


Cut = Callable[[Path, str], None]


def before(_file: Path, _contents: str) -> None:
    """Nothing was written."""


def half(file: Path, contents: str) -> None:
    """It was being written beside its place."""
    file.with_name(f"{file.name}.0123.new").write_text(contents[: len(contents) // 2])


def unnamed(file: Path, contents: str) -> None:
    """It was complete but not in its place, or the disk lost the rename."""
    file.with_name(f"{file.name}.0123.new").write_text(contents)


def after(file: Path, contents: str) -> None:
    """It was in its place, but nothing after it was done."""
    write_file(file, contents)


CUTS: list[Cut] = [before, half, unnamed, after]


@contextmanager
def cut_at(monkeypatch: pytest.MonkeyPatch, number: int, cut: Cut) -> Iterator[list[str]]:
    """Cut the power in the write of the journal with this number; yield what was written."""
    written: list[str] = []

    def write(file: Path, contents: str) -> None:
        if file.name == JOURNAL:
            written.append(contents)
            if len(written) > number:
                cut(file, contents)
                raise PowerLossError
        write_file(file, contents)

    with monkeypatch.context() as patch:
        patch.setattr(spare, "write_file", write)
        yield written


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, because the test makes and removes many small files."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="pgpool_recovery_") as directory:
        yield Path(directory)


@pytest.mark.parametrize("where", ["beside", "inside"])
@pytest.mark.parametrize("cut", CUTS, ids=lambda word: word.__name__)
@pytest.mark.parametrize("story", STORIES, ids=lambda word: word.__name__)
def test_promise_4_power_lost_in_any_write_of_the_journal(
    memory: Path, monkeypatch: pytest.MonkeyPatch, story: Story, cut: Cut, where: str
) -> None:
    """The next recovery finds a state of the table, and its way back ends in one, too.

    That way may be interrupted as well; then the next one follows.
    """
    seen: set[str] = set()
    for number in itertools.count():
        target = prepared(memory / str(number), story, is_inside=where == "inside")
        old = target.contents()
        run = new_steps()
        try:
            with cut_at(monkeypatch, number, cut):
                story(run, target)
                run.finish()
        except PowerLossError:
            let_go_of(run)
        else:
            break
        state = read_entry(Path(target.places.data.workspace)).state
        seen.add(type(state).__name__)
        was_tidy = swap.is_tidy(target.data)
        assert was_tidy is not is_amid(state)
        with suppress(PowerLossError), cut_at(monkeypatch, 0, cut):
            swap.tidy(target.data)
        swap.tidy(target.data)
        assert swap.is_tidy(target.data)
        _, state = swap.standing(target.data)
        assert not is_amid(state)
        assert_nothing_lost(target, state, old)
        assert_second_run_completes(target, story)
    assert number > 2, "nothing was cut"
    assert len(seen) > 1


def assert_nothing_lost(target: Target, state: State, old: tuple[dict[str, str], ...]) -> None:
    """Assert that there is one complete data directory, in the place that the state implies."""
    data, workspace = target.contents()[0], Path(target.places.data.workspace)
    if isinstance(state, Changing | Finished):
        assert not data
        assert (workspace / "new" / "global" / "pg_control").exists()
    elif data:
        whole = OLD if data["PG_VERSION"] == "old" else NEW
        assert {name: data[name] for name in whole if "conf" not in name} == {
            name: text for name, text in whole.items() if "conf" not in name
        }
    else:
        # The old data was removed to make room, and the node's own files wait.
        assert (workspace / "own" / "postgresql.conf").read_text() == old[0]["postgresql.conf"]


def test_write_on_a_full_disk_uses_the_room_that_was_kept(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = swap.reserve(target.places)
    target.put_copy()
    kept = Path(target.places.data.workspace) / spare.SPARE

    def write(file: Path, contents: str) -> None:
        if kept.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        write_file(file, contents)

    with monkeypatch.context() as patch:
        patch.setattr(spare, "write_file", write)
        swap.swap(journal, target.places)
    assert not kept.exists()
    assert isinstance(read_entry(Path(target.places.data.workspace)).state, Swapped)
    journal.close()


def test_facts_of_the_node_outlive_a_run(target: Target) -> None:
    swap.tidy(target.data)
    swap.note_failed_start(target.data)
    swap.note_failed_start(target.data)
    assert swap.failed_starts(target.data) == 2
    journal = swap.reserve(target.places)
    target.put_copy()
    swap.swap(journal, target.places)
    swap.undo(journal)
    swap.rest(journal)
    journal.close()
    assert swap.failed_starts(target.data) == 2
    assert swap.standing(target.data)[1] == Free()
    target.reserve()
    assert swap.failed_starts(target.data) == 2


def test_failed_start_is_not_counted_while_another_recovery_is_at_work(target: Target) -> None:
    """Only that recovery may write its journal."""
    journal = swap.reserve(target.places)
    journal.take(Swap({}))
    swap.note_failed_start(target.data)
    assert journal.state == Swapping("reserved")
    assert read_entry(journal.workspace) == Entry(journal.places, journal.state)
    journal.close()


def test_event_that_is_not_possible_is_refused(target: Target) -> None:
    """The plan was made for another state, because another recovery has worked in between."""
    journal: Journal = swap.reserve(target.places)
    with pytest.raises(Refused, match=r"has meanwhile worked in "):
        journal.take(PutIn())
    assert not isinstance(journal.state, Putting)
    journal.close()
