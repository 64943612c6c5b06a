"""Sync what was written to disk: files first, then the directories that contain them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from pgpool_recovery.files.write import sync

AT_ONCE = 8
"""How many files are synced at the same time. The filesystem then writes its journal once for all
of them, and the disk can choose the order."""
MOST_WAITING = 1000


def make_durable(
    files: Iterable[Path], directories: Iterable[Path], check: Callable[[], None]
) -> None:
    """Sync files and directories (fsync(2)); `check` is called in between and may raise."""

    def sync_one(path: Path) -> None:
        check()
        sync(path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for paths in (files, directories):
            left = iter(paths)
            # The pool keeps an object for each call until all are done, and there may be a million.
            while some := list(islice(left, MOST_WAITING)):
                for _ in pool.map(sync_one, some):
                    pass
