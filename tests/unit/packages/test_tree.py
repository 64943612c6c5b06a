"""The files of a package as data, and on a disk."""

import os
from pathlib import Path

import pytest

from packages.tree import Entry, File, Link, TwoFiles, merged, text, write

WHEN = 1_700_000_000


def test_parts_are_put_together_in_the_order_of_paths() -> None:
    both = merged({"/b": text("b"), "/c": text("c")}, {"/a": text("a"), "/b": text("b")})
    assert list(both) == ["/a", "/b", "/c"]


@pytest.mark.parametrize("other", [text("x"), text("b", 0o755), Link("b")])
def test_two_parts_cannot_have_different_files_for_one_path(other: File | Link) -> None:
    with pytest.raises(TwoFiles, match="/b"):
        merged({"/b": text("b")}, {"/b": other})


def test_modes_and_times_come_from_the_tree_alone(tmp_path: Path) -> None:
    tree: dict[str, Entry] = {
        "/usr/bin/command": text("#!/bin/sh\n", 0o755),
        "/usr/share/other": Link("../bin/command"),
        "/usr/share/page": text("é"),
    }
    before = os.umask(0o077)
    try:
        write(tree, tmp_path / "root", WHEN)
    finally:
        os.umask(before)
    root = tmp_path / "root"
    found = {
        str(path.relative_to(root)): oct(path.lstat().st_mode & 0o7777)
        for path in root.rglob("*")
        if not path.is_symlink()
    }
    assert found == {
        "usr": "0o755",
        "usr/bin": "0o755",
        "usr/bin/command": "0o755",
        "usr/share": "0o755",
        "usr/share/page": "0o644",
    }
    assert (root / "usr/share/other").readlink() == Path("../bin/command")
    assert {path.lstat().st_mtime for path in [root, *root.rglob("*")]} == {WHEN}
    assert (root / "usr/share/page").read_text(encoding="utf-8") == "é"
