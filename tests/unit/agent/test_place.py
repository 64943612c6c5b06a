"""What is measured while a server writes."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.agent.place import size_of


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
