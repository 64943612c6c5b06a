"""What is measured while a server writes."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent import place
from pgpool_recovery.agent.place import mounts_inside, size_of
from pgpool_recovery.files.text import text_of


def test_files_that_go_meanwhile_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").mkdir()
    for name in ("stays", "goes", "base/goes_too"):
        (tmp_path / name).write_bytes(b"x" * 4096)
    scandir = os.scandir

    def racing(directory: Path) -> list[os.DirEntry[str]]:
        """List, as a server removes what was listed."""
        entries = list(scandir(directory))
        for entry in entries:
            if entry.name.startswith("goes"):
                Path(entry.path).unlink()
        return entries

    monkeypatch.setattr(os, "scandir", racing)
    assert 4096 <= size_of(tmp_path) < 3 * 4096 + 4096
    assert size_of(tmp_path / "is" / "gone") == 0


def test_mounts_are_found_in_directories_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_bytes(
        b"22 1 8:1 / / rw - ext4 /dev/a rw\n"
        b"23 22 8:2 / /d\xc3\xa4t\xc3\xa4/pg_wal rw - ext4 /dev/b rw\n"
        b"24 22 8:3 / /d\xe4t\xe4/a\\040b\\134c\\012d rw - ext4 /dev/c rw\n"
        b"25 22 8:4 / /d\xe4t\xe4/\xc2\x85 rw - ext4 /dev/d rw\n"
    )
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "mountinfo")
    assert mounts_inside(Path("/dätä")) == ("/dätä/pg_wal",)
    latin = Path(text_of(b"/d\xe4t\xe4"))
    assert mounts_inside(latin) == (f"{latin}/a b\\c\nd", f"{latin}/\x85")
