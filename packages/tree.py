"""The files of a package as data, before any format sees them, and their way to a directory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A regular file. Every owner is root."""

    contents: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Link:
    """A symbolic link; its target is written as it is."""

    target: str


Entry = File | Link
Tree = Mapping[str, Entry]
"""From the absolute path on the host, in the order of the paths. Directories follow from these."""


class TwoFiles(ValueError):
    """Two parts of a package have different files for one path."""


def merged(*trees: Tree) -> dict[str, Entry]:
    """Return all files of several trees, sorted; raise TwoFiles when they disagree on a path.

    >>> list(merged({"/usr/b": File(b"")}, {"/usr/a": File(b"")}))
    ['/usr/a', '/usr/b']
    """
    result: dict[str, Entry] = {}
    for tree in trees:
        for path, entry in tree.items():
            if result.setdefault(path, entry) != entry:
                raise TwoFiles(path)
    return dict(sorted(result.items()))


def text(words: str, mode: int = 0o644) -> File:
    """Return a file with this text, in UTF-8."""
    return File(words.encode(), mode)


def write(tree: Tree, root: Path, when: int) -> None:
    """Write a tree below a directory; every file and directory gets the time `when` (Unix).

    The modes do not depend on the umask. The owners are the caller's, and become root in a format.
    """
    for path, entry in tree.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            place.symlink_to(entry.target)
        else:
            place.write_bytes(entry.contents)
            place.chmod(entry.mode)
    for directory, _, names in os.walk(root, topdown=False):
        for name in names:
            os.utime(Path(directory, name), (when, when), follow_symlinks=False)
        Path(directory).chmod(0o755)
        os.utime(directory, (when, when))
