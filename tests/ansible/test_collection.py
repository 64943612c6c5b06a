"""The collection as Ansible's own tools see it."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from packages import collection

from .galaxy import REPOSITORY, run_ansible

pytestmark = pytest.mark.whole_matrix


def test_lint() -> None:
    done = subprocess.run(
        ["make", "-s", "ansible-lint"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_archive_is_the_one_of_ansible_galaxy(place: Path, tmp_path: Path) -> None:
    """But for the order of the files, and the times."""
    ours = collection.build(tmp_path, tmp_path)
    theirs = tmp_path / "theirs"
    words = ("build", str(collection.SOURCE), "--output-path", str(theirs))
    run_ansible(place, "galaxy", "collection", *words)
    assert contents(ours) == contents(theirs / ours.name)


def contents(archive: Path) -> dict[str, object]:
    modes, files = {}, {}
    with tarfile.open(archive) as opened:
        for member in opened:
            file = opened.extractfile(member)
            modes[member.name] = member.mode
            files[member.name] = b"" if file is None else file.read()
    listed = json.loads(files.pop(collection.FILES))["files"]
    about = json.loads(files.pop(collection.MANIFEST))["collection_info"]
    return {
        "files": files,
        "modes": modes,
        "listed": {one["name"]: one for one in listed},
        "about": about,
    }
