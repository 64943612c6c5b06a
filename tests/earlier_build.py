"""Earlier builds of pgpool-recovery, from this repository's history, for tests with two builds."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
BEFORE_ISSUE_10 = "2ba9e60bb782052b286918f3deadb79a05cdfd5c"
BEFORE_ISSUE_12 = "570d14c11f7f2bbd493249bfdb906a7c87aad5c6"
THIS_COMMIT = "HEAD"
WHY_NOT = "the history of this checkout lacks commit {}, clone it whole: {}"


def extract(commit: str, directory: Path) -> Path:
    """Put the files of a commit into a directory, and return it; skip the test if there is none.

    A shallow clone or a released archive does not have the commit.
    """
    made = subprocess.run(
        # Root may run the tests in a checkout of another user.
        [*("git", "-c", f"safe.directory={REPOSITORY}"), "-C", REPOSITORY, "archive", commit],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(WHY_NOT.format(commit, made.stderr.decode().strip()))
    subprocess.run(["tar", "-x", "-C", str(directory)], input=made.stdout, check=True)
    return directory
