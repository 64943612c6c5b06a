"""Run each story of an agent on a real ext4 filesystem with 0 to 64 free blocks.

Called as python -m tests.faults.full_ext4_program DIR, in a namespace of its own, so that the mount
and the loop device go away with the process. It prints how each story failed, and stops with an
error if one does not fail as it should.
"""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory.place import workspaces_of
from pgpool_recovery.agent.method import make_standby as standby
from pgpool_recovery.agent.steps import steps
from pgpool_recovery.domain.error import NoRoom
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.lock import is_locked
from pgpool_recovery.host.system_failure import failure_of_system
from tests.unit.agent.test_full_disk import (
    LOSES_OLD,
    STORIES,
    Story,
    Wal,
    assert_second_run_completes,
    leftovers,
    new_steps,
    prepared,
)

MOST_FREE_BLOCKS = 64
EVERY_STORY_UP_TO = 4
BLOCK_BYTES = 4096
IMAGE_BYTES = 12 * 2**20


def main() -> int:
    """Run all stories; the first one that ends badly raises AssertionError."""
    directory = Path(sys.argv[1])
    image, mount = directory / "image", directory / "disk"
    mount.mkdir()
    image.touch()
    os.truncate(image, IMAGE_BYTES)
    subprocess.run(
        ["mkfs.ext4", "-q", "-b", str(BLOCK_BYTES), "-m", "0", "-O", "^has_journal", str(image)],
        check=True,
    )
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    patch = pytest.MonkeyPatch()
    patch.setattr(standby, "neutralise", lambda *_words, **_options: None)
    patch.setattr(steps, "WalSource", lambda *_words, **_options: Wal())
    failed = 0
    turns = itertools.cycle(STORIES)
    for blocks in range(MOST_FREE_BLOCKS + 1):
        stories = STORIES if blocks < EVERY_STORY_UP_TO else [next(turns)]
        for story in stories:
            for is_inside in (False, True) if blocks < EVERY_STORY_UP_TO else (blocks % 2 == 0,):
                failed += has_failed_well(mount / "case", blocks, story, is_inside=is_inside)
    print(f"{failed} stories failed, each with a name")
    return 0


def has_failed_well(root: Path, blocks: int, story: Story, *, is_inside: bool) -> bool:
    """Run a story with so many free blocks, return whether it failed, and complete it."""
    root.mkdir()
    target = prepared(root, story, is_inside=is_inside)
    before, waited = target.contents(), bool(workspaces_of(target.data))
    filler = root.with_name("filler")
    fill(filler, blocks)
    run, said, state = new_steps(), None, TargetState.UNTOUCHED
    try:
        story(run, target)
        run.finish()
    except OSError as error:
        said = failure_of_system(error)
        state = run.undo()  # Room for what it writes is reserved from the first step on.
    filler.unlink()
    what = f"{story.__name__} with {blocks} free blocks"
    if said is not None:
        print(f"{what}: {said.message}; {state}")
        assert isinstance(said, NoRoom), said
        assert f"mounted at {root.parent} of " in (said.hint or ""), said.hint
        for workspace in workspaces_of(target.data):
            assert not is_locked(workspace), what
        if state is TargetState.UNTOUCHED:
            assert target.contents() == before, what
            assert waited or not leftovers(root), what
        elif story not in LOSES_OLD:
            assert state is TargetState.RESTORED, what
        assert_second_run_completes(target, story)
    shutil.rmtree(root)
    return said is not None


def fill(filler: Path, blocks: int) -> None:
    """Leave so many blocks free, or one less if ext4 needs one for the filler's own metadata."""
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        size = 0
        while (free := _free(filler.parent)) > blocks:
            more = max(1, (free - blocks) // 2) * BLOCK_BYTES
            os.posix_fallocate(descriptor, size, more)
            size += more
    finally:
        os.close(descriptor)
    assert blocks - free <= 1, f"{free} blocks are free, not {blocks}"


def _free(directory: Path) -> int:
    return os.statvfs(directory).f_bavail


if __name__ == "__main__":
    sys.exit(main())
