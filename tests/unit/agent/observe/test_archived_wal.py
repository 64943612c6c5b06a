"""WAL files are fetched as the server fetches them, into a file that no server reads."""

import hashlib
import time
from pathlib import Path

import pytest

from pgpool_recovery.agent.observe.archived_wal import ArchiveSource, try_archive
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import TimelineId
from pgpool_recovery.facts.archived_wal import FromArchive, Origin, WalTrial, WantedWal
from pgpool_recovery.facts.own_wal import Part
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.host import TryArchive
from tests.unit.plan.archive import head
from tests.unit.plan.situation import wal
from tests.unit.plan.words import OddWords

SIZE = 64 * 1024
FIRST, SECOND = "000000010000000000000033", "000000010000000000000034"
OF_PRIMARY = wal(segment_bytes=SIZE)
SOON_S = 5.0


def contents(name: str) -> bytes:
    return head(OF_PRIMARY, OddWords(name)) + bytes(range(256)) * (SIZE // 256 - 1) + bytes(216)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    for name in (FIRST, SECOND):
        (made / name).write_bytes(contents(name))
    return made


def tried(
    data: Path,
    command: str,
    *names: str,
    parts: tuple[Part, ...] = (),
    timeout_s: float = 30,
    within_s: float | None = None,
    calls: int = 1,
) -> WalTrial:
    wanted = tuple(WantedWal(name, parts) for name in names)
    asked = TryArchive(str(data), command, wanted, SIZE, timeout_s, within_s, calls)
    return try_archive(asked, Stop())


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


def source(data: Path, command: str) -> ArchiveSource:
    whole = FromArchive(
        Origin.OWN, command, FIRST, SECOND, 2, 2 * SIZE, 0x35, TimelineId(1), timeout_s=30
    )
    return ArchiveSource(whole, data, SIZE, Stop())


def test_file_for_pg_wal_is_the_one_that_was_requested(data: Path, archive: Path) -> None:
    assert source(data, f"cp {archive}/%f %p").segment(SECOND) == contents(SECOND)
    for command, why in (
        (f"cp {archive}/{FIRST} %p", "brought is not"),
        ("false", "did not bring"),
        (f"head -c 1000 {archive}/%f > %p", "brought is not"),
        ("true", "did not bring"),
    ):
        with pytest.raises(Undone, match=why):
            source(data, command).segment(SECOND)
