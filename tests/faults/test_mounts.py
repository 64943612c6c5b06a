"""Mounts of all kinds at a data directory are detected, and a full copy works over them."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.test_full_disk import LIMIT_S, OWN_MOUNTS


def test_full_copy_over_mounts(namespaces: None) -> None:
    """The mounts are made in a separate process, and go away with it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="pgpool_recovery_") as directory:
        program = [sys.executable, "-m", "tests.faults.mounts_program", directory]
        said = subprocess.run(
            [*OWN_MOUNTS, *program],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            cwd=Path(__file__).parents[2],
        )
        assert said.returncode == 0, said.stdout + said.stderr
        assert said.stdout.count("as it should be") == 9, said.stdout
