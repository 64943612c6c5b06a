"""Something done in a process that is not root's, to which modes mean nothing."""

import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

NOBODY = 65534


def as_nobody(
    root: Path,
    action: Callable[[], None],
    of_root: Mapping[Path, int] | None = None,
    *,
    gid: int = 0,
) -> None:
    """Call it in a child that owns what is below `root`; fails as the child does.

    `of_root`: what stays root's, with a mode, and with a group of this number.
    """
    for directory in (root.parent, root.parent.parent):
        directory.chmod(directory.stat().st_mode | 0o011)
    for path in (root, *root.rglob("*")):
        os.lchown(path, NOBODY, NOBODY)
    for path, mode in (of_root or {}).items():
        os.lchown(path, 0, gid)
        path.chmod(mode)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
        except BaseException:  # noqa: BLE001 - the parent shall not go on twice
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "it failed, see what it wrote"
