"""A workspace is removed with its process, or, if abandoned, by the next start; nothing else is."""

import os
import subprocess
import sys
from pathlib import Path

from tests.harness.workspace import Workspace, remove_abandoned


def test_a_workspace_is_readable_for_all_and_gone_afterwards(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        assert workspace.make("a/b").stat().st_mode & 0o777 == 0o755
    assert list(tmp_path.iterdir()) == []


def test_an_abandoned_workspace_is_removed_by_the_next_start(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from tests.harness.workspace import Workspace
workspace = Workspace(Path({str(tmp_path)!r}))
workspace.make("something")
os._exit(9)
"""
    checkout = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script], cwd=checkout, check=False)
    [abandoned] = tmp_path.iterdir()
    with Workspace(tmp_path):
        assert not abandoned.exists()


def test_a_workspace_in_use_stays(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace, Workspace(tmp_path):
        assert workspace.directory.exists()


def test_what_is_not_a_workspace_of_ours_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "in-use").touch()
    (tmp_path / "pgpool-harness-link").symlink_to(elsewhere)
    being_made = tmp_path / "pgpool-harness-new"
    being_made.mkdir()
    assert remove_abandoned(tmp_path) == []
    os.utime(being_made, (0, 0))
    assert remove_abandoned(tmp_path) == [being_made]
    assert (elsewhere / "in-use").exists()
