"""Make workspaces as builds without a journal left them, by such a build itself.

    git archive b3e578f src tests pyproject.toml | tar -x -C DIRECTORY
    cd DIRECTORY; PYTHONPATH=src:. python THIS_FILE > older_workspaces.json

It cuts the power at each operation on the filesystem of each way through a run, and keeps what is
on the disk then, if it differs from what was kept before: the path of each file below ``{root}``
with its text, or None for a directory. tests/unit/agent/directory/test_older.py reads it.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest


class Build:
    """The build that makes them, with its modules where they were at that time."""

    @cached_property
    def swap(self) -> Any:
        return import_module("pgpool_recovery" + ".agent.swap")

    @cached_property
    def lock(self) -> Any:
        return import_module("pgpool_recovery" + ".agent.lock")

    @cached_property
    def own_files(self) -> Any:
        return import_module("pgpool_recovery" + ".agent.own_files")

    @cached_property
    def tests(self) -> Any:
        return import_module("tests.unit" + ".agent.test_swap")


old = Build()
Tree = dict[str, str | None]


def put_copy(made: Any) -> None:
    made.put_copy()
    old.own_files.keep_own_files(old.own_files.own_directory(made.data), Path(made.places.data.new))


def copies(made: Any) -> None:
    put_copy(made)
    old.swap.swap(made.places)


def copies_after_removal(made: Any) -> None:
    old.swap.remove_old_data(made.places)
    put_copy(made)
    old.swap.swap(made.places)


def goes_back(made: Any) -> None:
    put_copy(made)
    old.swap.put_back(made.places.all(), old.swap.swap(made.places))


def changes(made: Any) -> None:
    workspace = Path(made.places.data.workspace)
    old.swap.take_data_out(made.places.data)
    old.swap.mark_changing(workspace, "rewind")
    old.swap.mark_changing(workspace, "finished")
    old.swap.put_taken_in_place(made.places.data)


def changes_nothing(made: Any) -> None:
    old.swap.take_data_out(made.places.data)
    old.swap.put_taken_in_place(made.places.data)


def removes_what_is_half_changed(made: Any) -> None:
    old.swap.take_data_out(made.places.data)
    old.swap.mark_changing(Path(made.places.data.workspace), "rewind")
    old.swap.remove_old_data(made.places)


def notes(made: Any) -> None:
    old.swap.note_former_slot(made.places, "former")
    old.swap.note_failed_start(made.data)
    old.swap.note_failed_start(made.data)


WAYS: tuple[Callable[[Any], None], ...] = (
    copies,
    copies_after_removal,
    goes_back,
    changes,
    changes_nothing,
    removes_what_is_half_changed,
    notes,
)


def tree(root: Path) -> Tree:
    """Return all files below a directory, except the one that only keeps room."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        if path.name != "spare" and not path.name.endswith(".new"):
            text = None if path.is_dir() else path.read_text().replace(str(root), "{root}")
            found[str(path.relative_to(root))] = text
    return found


def noticed(found: Tree) -> dict[str, str | None]:
    """Return what distinguishes one from another: the entries of a workspace, not deeper."""
    notes: dict[str, str | None] = {}
    for path, text in found.items():
        above, in_workspace, below = path.partition("pgpool_recovery/")
        if in_workspace and "/" not in below:
            notes[path] = text
        elif not in_workspace and path in ("data", "data/global", "space/PG_15_1"):
            notes[above] = None
    return notes


def stories(way: Callable[[Any], None], *, is_inside: bool) -> list[Tree]:
    """Return what is on the disk after a power failure at each operation, without duplicates."""
    kept: list[Tree] = []
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        for number in itertools.count():
            root = Path(directory, str(number))
            made = old.tests.Target(root, is_inside=is_inside)
            made.put_old()
            (made.data / "postgresql.auto.conf").write_text("work_mem = '7MB'\n")
            old.lock.unlock(old.swap.reserve(made.places))
            try:
                with old.tests.crash_at(patch, number):
                    way(made)
                is_done = True
            except old.tests.CrashError:
                is_done = False
            found = tree(root)
            if noticed(found) not in map(noticed, kept):
                kept.append(found)
            if is_done:
                return kept
    raise AssertionError


def main() -> None:
    """Write all of them to standard output."""
    made = [
        {"way": way.__name__, "is_inside": is_inside, "trees": stories(way, is_inside=is_inside)}
        for way in WAYS
        for is_inside in (False, True)
    ]
    sys.stdout.write(json.dumps(made, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
