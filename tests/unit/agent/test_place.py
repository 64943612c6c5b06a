"""What is measured while a server writes."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent.place import can_rename, size_of, workspace_of


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


def test_workspace_is_inside_where_everybody_could_rename_the_one_beside(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    assert workspace_of(data) == tmp_path / "data.pgpool_recovery"
    for mode, is_movable in ((0o1777, True), (0o777, False), (0o755, True)):
        tmp_path.chmod(mode)
        assert can_rename(data) is is_movable
    tmp_path.chmod(0o777)
    assert workspace_of(data) == data / "pgpool_recovery"
    tmp_path.chmod(0o755)
