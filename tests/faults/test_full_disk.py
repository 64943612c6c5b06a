"""An agent's steps on a real filesystem without free blocks (tests/unit covers every write)."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TOOLS = ("mkfs.ext4", "losetup", "unshare")
LIMIT_S = 240
OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private")


def why_no_ext4() -> str | None:
    """Return why no filesystem can be created here; None if one can."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is not here"
    free = subprocess.run(["losetup", "--find"], capture_output=True, text=True, check=False)
    if free.returncode != 0:
        return f"no loop device: {free.stderr.strip()}"
    return None


@pytest.fixture
def memory() -> str:
    """Yield a directory in memory for the image, so that the test does not wait for a disk."""
    why = why_no_ext4()
    if why is not None:
        pytest.skip(why)
    return "/dev/shm"


def test_ext4_with_0_to_64_free_blocks(memory: str) -> None:
    """Each story ends in a state that has a name, and a second run completes when there is room."""
    with tempfile.TemporaryDirectory(dir=memory, prefix="pgpool_recovery_") as directory:
        program = [sys.executable, "-m", "tests.faults.full_ext4_program", directory]
        said = subprocess.run(
            [*OWN_MOUNTS, *program],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            cwd=Path(__file__).parents[2],
        )
        assert said.returncode == 0, said.stdout + said.stderr
        failed = re.search(r"^(\d+) stories failed, each with a name$", said.stdout, re.MULTILINE)
        assert failed is not None, said.stdout
        assert int(failed[1]) >= 48, "with fewer than four blocks none can succeed"
