"""What is removed is counted file by file, and no link is followed."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.workspace import remove


def files_in(directory: Path, count: int, size_bytes: int) -> None:
    directory.mkdir(parents=True)
    for number in range(count):
        (directory / str(number)).write_bytes(b"x" * size_bytes)


def test_removal_of_many_files_is_told_step_by_step(tmp_path: Path) -> None:
    """Terabytes take a while, and no limit of time may end that."""
    files_in(tmp_path / "data" / "base" / "1", 20, 65536)
    files_in(tmp_path / "data" / "base" / "5", 20, 65536)
    freed = list[int]()
    remove(tmp_path / "data", freed.append)
    assert not (tmp_path / "data").exists()
    assert len(freed) == 40
    assert sum(freed) == 40 * 65536


def test_links_are_removed_and_what_they_lead_to_stays(tmp_path: Path) -> None:
    files_in(tmp_path / "space", 3, 10)
    files_in(tmp_path / "data" / "pg_tblspc", 0, 0)
    (tmp_path / "data" / "pg_tblspc" / "16400").symlink_to(tmp_path / "space")
    (tmp_path / "data" / "pg_wal").symlink_to(tmp_path / "nowhere")
    remove(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert len(list((tmp_path / "space").iterdir())) == 3


def test_file_that_stays_elsewhere_frees_nothing(tmp_path: Path) -> None:
    files_in(tmp_path / "data", 1, 65536)
    os.link(tmp_path / "data" / "0", tmp_path / "kept")
    freed = list[int]()
    remove(tmp_path / "data", freed.append)
    assert freed == [0]


def test_failure_in_the_middle_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files_in(tmp_path / "data", 2, 10)

    def broken(*_args: object, **_more: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "unlink", broken)
    with pytest.raises(OSError, match="Input/output"):
        remove(tmp_path / "data")
