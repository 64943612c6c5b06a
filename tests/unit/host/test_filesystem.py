"""Sizes and mounts, measured while a server writes."""

import os
import tracemalloc
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.place import observe_place
from pgpool_recovery.files.text import text_of
from pgpool_recovery.host import filesystem
from pgpool_recovery.host.filesystem import entries_of, mounts_inside, size_of
from tests.unit.agent.as_nobody import as_nobody


def test_files_that_go_meanwhile_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").mkdir()
    for name in ("stays", "goes", "base/goes_too"):
        (tmp_path / name).write_bytes(b"x" * 4096)
    scandir = os.scandir

    def racing(directory: Path) -> AbstractContextManager[list[os.DirEntry[str]]]:
        """List a directory while a server removes the listed files."""
        entries = list(scandir(directory))
        for entry in entries:
            if entry.name.startswith("goes"):
                Path(entry.path).unlink()
        return nullcontext(entries)

    monkeypatch.setattr(os, "scandir", racing)
    assert 4096 <= size_of(tmp_path) < 3 * 4096 + 4096
    assert size_of(tmp_path / "is" / "gone") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for directories of root")
@pytest.mark.parametrize("mode", [0o700, 0o744], ids=["closed", "only listed"])
@pytest.mark.parametrize("name", ["lost+found", "pg_wal/lost+found", "backups"])
def test_directory_of_root_in_the_data_directory_is_ignored(
    tmp_path: Path, name: str, mode: int
) -> None:
    """For example lost+found; whether it is an obstacle to a recovery is examined separately."""
    data = tmp_path / "data"
    for file in ("base/1", f"{name}/found"):
        (data / file).parent.mkdir(parents=True, exist_ok=True)
        (data / file).write_bytes(b"x" * 8192)
    inner = data / name / "deeper"
    inner.mkdir()
    (inner / "file").write_bytes(b"x" * 1024**2)
    data.chmod(0o700)

    def observe() -> None:
        facts = observe_place(data, is_own=True)
        assert facts.exists
        assert not facts.is_empty
        assert 8192 <= facts.size_bytes < 1024**2, facts.size_bytes

    as_nobody(tmp_path, observe, {data / name: mode})


def test_mounts_are_found_in_directories_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_bytes(
        b"22 1 8:1 / / rw - ext4 /dev/a rw\n"
        b"23 22 8:2 / /d\xc3\xa4t\xc3\xa4/pg_wal rw - ext4 /dev/b rw\n"
        b"24 22 8:3 / /d\xe4t\xe4/a\\040b\\134c\\012d rw - ext4 /dev/c rw\n"
        b"25 22 8:4 / /d\xe4t\xe4/\xc2\x85 rw - ext4 /dev/d rw\n"
    )
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "mountinfo")
    assert mounts_inside(Path("/dätä")) == ("/dätä/pg_wal",)
    latin = Path(text_of(b"/d\xe4t\xe4"))
    assert mounts_inside(latin) == (f"{latin}/a b\\c\nd", f"{latin}/\x85")


def test_entries_of_a_large_directory_are_not_kept(tmp_path: Path) -> None:
    """With its attributes, each would take half a kilobyte until all have been seen."""
    files = 4000
    for number in range(files):
        (tmp_path / str(number)).touch()

    def peak_bytes(entries: Iterable[os.DirEntry[str]]) -> int:
        for entry in entries:
            entry.stat(follow_symlinks=False)
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        kept = list(os.scandir(tmp_path))
        of_kept = peak_bytes(kept)
        kept.clear()
        tracemalloc.reset_peak()
        assert peak_bytes(entries_of(tmp_path)) < of_kept / 2
    finally:
        tracemalloc.stop()


def test_directory_that_is_gone_has_no_entries_to_return(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        entries_of(tmp_path / "gone")
