"""lintian, which knows Debian's policy, has nothing to say about our packages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from packages import deb
from tests.harness.workspace import Workspace
from tests.unit.packages.wheels import make_wheels


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")
def test_no_complaint(workspace: Workspace) -> None:
    """With real scripts and documents, and small modules, which it would only read for long."""
    into = workspace.make("lintian")
    built = deb.build(make_wheels(into / "wheels"), into)
    found = [path for path in built if path.name.startswith(("pgpool-recovery_", "postgresql-15-"))]
    assert len(found) == 2
    assert complaints(*found) == ""


def complaints(*packages: Path) -> str:
    argv = ["lintian", "--allow-root", "--display-info", "--pedantic", "--tag-display-limit", "0"]
    temporary = {**os.environ, "TMPDIR": str(packages[0].parent)}  # It leaves files behind.
    argv += map(str, packages)
    done = subprocess.run(argv, env=temporary, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
