"""WAL files are tried as the server fetches them, into a file that no server reads."""

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from pgpool_recovery.agent.observe import archived_wal
from pgpool_recovery.agent.observe.wal_trial import try_archive
from pgpool_recovery.domain.error import Cancelled
from pgpool_recovery.facts.archived_wal import WalTrial, WantedWal
from pgpool_recovery.facts.own_wal import Part
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.host import TryArchive
from tests.unit.agent.observe.wal_files import (
    FIRST,
    NAMES,
    SECOND,
    SIZE,
    contents,
    make_archive,
    make_data,
)

SOON_S = 5.0
LONG_S = 60.0
AT_ONCE = 4


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_archive(tmp_path / "archive", *NAMES)


def tried(
    data: Path,
    command: str,
    *names: str,
    parts: tuple[Part, ...] = (),
    timeout_s: float = 30,
    within_s: float | None = None,
    calls: int = 1,
    at_once: int = 1,
    stop: Stop | None = None,
) -> WalTrial:
    wanted = tuple(WantedWal(name, parts) for name in names)
    asked = TryArchive(str(data), command, wanted, SIZE, timeout_s, within_s, calls, at_once)
    return try_archive(asked, stop or Stop())


def test_each_file_is_seen_and_goes(data: Path, archive: Path, tmp_path: Path) -> None:
    places = tmp_path / "places"
    parts = (Part(FIRST, 8, 1000), Part(FIRST, SIZE - 10, 11))
    found = tried(data, f"echo %p >> {places}; cp {archive}/%f %p", FIRST, SECOND, parts=parts)
    assert [file.name for file in found.files] == [FIRST, SECOND]
    first = found.files[0]
    assert (first.size_bytes, first.problem) == (SIZE, None)
    assert bytes.fromhex(first.head or "") == contents(FIRST)[:40]
    digest = hashlib.sha256(contents(FIRST)[8:1008]).hexdigest()
    assert first.digests == (digest, None), "the second part ends beyond the file"
    for place in places.read_text().split():
        assert place.endswith("/RECOVERYXLOG")
        assert not (data / place).exists()
        assert not (data / place).parent.exists()
    assert list(data.iterdir()) == []


def test_after_a_file_that_is_not_there_no_more_are_requested(
    data: Path, archive: Path, tmp_path: Path
) -> None:
    (archive / FIRST).unlink()
    asked = tmp_path / "asked"
    found = tried(data, f"echo %f >> {asked}; cp {archive}/%f %p", FIRST, SECOND)
    assert asked.read_text().split() == [FIRST]
    (only,) = found.files
    assert only.head is None
    assert (only.problem or "").startswith("exit status 1 (cp: cannot stat")


def test_command_that_ends_with_255_or_hangs(data: Path) -> None:
    (of_ssh,) = tried(data, "echo no route to host; exit 255", FIRST).files
    assert of_ssh.problem == "exit status 255 (no route to host)"
    began = time.monotonic()
    silent = tried(data, "sleep 600", FIRST, SECOND, timeout_s=0.3)
    assert time.monotonic() - began < SOON_S
    assert silent.is_silent
    assert [file.problem for file in silent.files] == ["it did not end within 0.3 s"]


def test_command_that_delivers_nothing_or_too_much(data: Path) -> None:
    (nothing,) = tried(data, "true", FIRST).files
    assert (nothing.head, nothing.problem) == (None, None)
    (directory,) = tried(data, "mkdir %p", FIRST).files
    assert directory.head is None
    began = time.monotonic()
    more = f"while :; do head -c {SIZE} /dev/zero >> %p; sleep 0.05; done"
    (endless,) = tried(data, more, FIRST).files
    assert time.monotonic() - began < SOON_S
    assert endless.size_bytes > SIZE


def test_no_call_is_made_after_all_of_them_have_had_their_time(
    data: Path, archive: Path, tmp_path: Path
) -> None:
    """The file that was to come then is not one that is lacking."""
    asked, began = tmp_path / "asked", time.monotonic()
    slow = f"echo %f >> {asked}; cp {archive}/%f %p; test %f = {FIRST} || exec sleep 60"
    found = tried(data, slow, FIRST, SECOND, FIRST, within_s=1.0)
    assert [file.name for file in found.files] == [FIRST]
    assert asked.read_text().split() == [FIRST, SECOND]
    assert time.monotonic() - began < SOON_S
    assert tried(data, f"echo too late >> {asked}", FIRST, within_s=0.0).files == ()
    assert asked.read_text().split() == [FIRST, SECOND]


@pytest.mark.parametrize(("calls", "comes"), [(1, False), (2, True)])
def test_file_may_come_by_the_second_call(
    data: Path, archive: Path, tmp_path: Path, calls: int, *, comes: bool
) -> None:
    again = tmp_path / "again"
    command = f"if test -e {again}; then cp {archive}/%f %p; else touch {again}; exit 1; fi"
    (found,) = tried(data, command, FIRST, calls=calls).files
    assert (found.head is not None) == comes


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    made = tmp_path / "begun"
    made.mkdir()
    return made


def all_begin(begun: Path, count: int = AT_ONCE) -> str:
    """Return a command that notes its process and waits until so many have been called."""
    wait = f"while test $(ls {begun} | wc -l) -lt {count}; do sleep 0.01; done"
    return f"echo $$ > {begun}/%f.new; mv {begun}/%f.new {begun}/%f.is; {wait}"


def goes_on(begun: Path) -> list[int]:
    """Return which processes of the commands have not ended."""
    pids = [int(file.read_text()) for file in begun.glob("*.is")]
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_files_are_tried_at_the_same_time(data: Path, archive: Path, begun: Path) -> None:
    """Each call waits for the others, so one after the other would not end."""
    command = f"{all_begin(begun)}; cp {archive}/%f %p"
    found = tried(data, command, *NAMES, at_once=AT_ONCE)
    assert [file.name for file in found.files] == list(NAMES)
    assert [file.head for file in found.files] == [contents(name)[:40].hex() for name in NAMES]
    assert not found.is_silent
    assert tried(data, command.replace("-lt 4", "-lt 5"), FIRST, timeout_s=0.3).is_silent


def test_no_more_files_than_that_are_tried_at_once(
    data: Path, archive: Path, begun: Path, tmp_path: Path
) -> None:
    counts = tmp_path / "counts"
    note = f"touch {begun}/%f; ls {begun} | wc -l >> {counts}"
    found = tried(data, f"{note}; sleep 0.1; cp {archive}/%f %p; rm {begun}/%f", *NAMES, at_once=2)
    assert len(found.files) == len(NAMES)
    assert max(map(int, counts.read_text().split())) == 2


@pytest.mark.parametrize("lacking", [(0,), (1,), (3,), (1, 2), (3, 0), (0, 1, 2, 3)])
def test_missing_file_is_the_one_that_one_by_one_would_show(
    data: Path, archive: Path, lacking: tuple[int, ...]
) -> None:
    for place in lacking:
        (archive / NAMES[place]).unlink()
    slow = f"test %f = {FIRST} && sleep 0.2; cp {archive}/%f %p"
    one_by_one = tried(data, slow, *NAMES).files
    assert [file.name for file in one_by_one] == list(NAMES[: min(lacking) + 1])
    assert tried(data, slow, *NAMES, at_once=AT_ONCE).files == one_by_one


def test_command_that_bears_one_call_at_a_time(data: Path, archive: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    alone = f"mkdir {lock} || exit 9; cp {archive}/%f %p; sleep 0.1; rmdir {lock}"
    assert len(tried(data, alone, *NAMES).files) == len(NAMES)
    found = tried(data, f"{alone}", *NAMES, at_once=AT_ONCE)
    assert [file.problem for file in found.files] == [None] * len(NAMES)


def test_calls_that_use_the_same_temporary_file(
    data: Path, archive: Path, begun: Path, tmp_path: Path
) -> None:
    """What came together may be the contents of another file then."""
    both, parts = tmp_path / "both", (Part(FIRST, 0, SIZE),)
    command = f"cp {archive}/%f {both}; {all_begin(begun, 2)}; cp {both} %p"
    found = tried(data, command, FIRST, SECOND, parts=parts, at_once=2)
    digests = [(hashlib.sha256(contents(name)).hexdigest(),) for name in (FIRST, SECOND)]
    assert [file.digests for file in found.files] == digests


def test_what_is_compared_is_not_believed_if_another_call_failed_meanwhile(
    data: Path, archive: Path, begun: Path, tmp_path: Path
) -> None:
    """Its beginning may be right, and the rest that of another file."""
    end = f"printf x | dd of=%p bs=1 seek={SIZE - 1} conv=notrunc"
    at_first = f"{all_begin(begun, 2)}; test %f = {SECOND} && exit 1; {end}"
    command = f"cp {archive}/%f %p; test -e {begun}/%f.is || {{ {at_first}; }}"
    found = tried(data, command, FIRST, SECOND, parts=(Part(FIRST, 0, SIZE),), at_once=2)
    digests = [(hashlib.sha256(contents(name)).hexdigest(),) for name in (FIRST, SECOND)]
    assert [file.digests for file in found.files] == digests


def test_after_a_call_that_failed_no_other_is_made(
    data: Path, archive: Path, begun: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    (archive / FIRST).unlink()
    slow = f"test %f = {SECOND} && sleep 0.5"
    command = f"echo %f >> {asked}; {all_begin(begun, 2)}; {slow}; cp {archive}/%f %p"
    found = tried(data, command, *NAMES, at_once=2)
    assert [file.head for file in found.files] == [None]
    assert sorted(asked.read_text().split()) == [FIRST, FIRST, SECOND]


def test_deadline_ends_all_calls(data: Path, begun: Path) -> None:
    began = time.monotonic()
    found = tried(data, f"{all_begin(begun)}; sleep 600", *NAMES, within_s=1.0, at_once=AT_ONCE)
    assert time.monotonic() - began < SOON_S
    assert found.files == (), "none of them is one that is lacking"
    assert found.is_silent
    assert len(list(begun.iterdir())) == AT_ONCE
    assert goes_on(begun) == []
    late = tried(data, f"touch {begun}/late", *NAMES, within_s=0.0, at_once=AT_ONCE)
    assert (late.files, late.is_silent) == ((), False)
    assert not (begun / "late").exists()


def test_call_that_hangs_is_not_made_again(data: Path, archive: Path, begun: Path) -> None:
    hangs = f"{all_begin(begun)}; echo >> {begun}/%f.is; test %f = {SECOND} && exec sleep 600"
    found = tried(data, f"{hangs}; cp {archive}/%f %p", *NAMES, timeout_s=1.0, at_once=AT_ONCE)
    assert [file.name for file in found.files] == [FIRST]
    assert found.is_silent
    assert (begun / f"{SECOND}.is").read_text().count("\n") == 2


def test_cancel_ends_all_calls(data: Path, begun: Path, tmp_path: Path) -> None:
    stop, places = Stop(), tmp_path / "places"

    def cancel() -> None:
        deadline = time.monotonic() + LONG_S
        while len(list(begun.glob("*.is"))) < AT_ONCE and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.ask()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled):
        tried(
            data,
            f"echo %p >> {places}; {all_begin(begun)}; exec sleep 600",
            *NAMES,
            timeout_s=LONG_S,
            at_once=AT_ONCE,
            stop=stop,
        )
    canceller.join(LONG_S)
    assert goes_on(begun) == []
    given = places.read_text().split()
    assert len(given) == AT_ONCE
    assert [place for place in given if (data / place).parent.exists()] == []


def test_one_file_at_a_time_where_there_is_no_room_for_more(
    data: Path, archive: Path, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = os.statvfs(data).f_bavail * os.statvfs(data).f_frsize
    factor = free // (2 * SIZE)
    monkeypatch.setattr(archived_wal, "ROOM_FACTOR", factor)
    command = f"touch {begun}/%f; ls {begun} | wc -l; sleep 0.1; cp {archive}/%f %p; rm {begun}/%f"
    counts = begun.parent / "counts"
    found = tried(data, f"({command}) >> {counts}", *NAMES, at_once=AT_ONCE)
    assert len(found.files) == len(NAMES)
    assert counts.read_text().split() == ["1"] * len(NAMES)
