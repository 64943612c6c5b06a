"""A rehearsal of a release: this checkout, committed and tagged in a repository of its own."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.workspace import Workspace

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = Path(".build", "release")
"""The locked Python packages of `make release`, which rehearsals share."""
WHO = ["-c", "user.name=Rehearsal", "-c", "user.email=rehearsal@localhost"]
DATE = "2026-12-05"
BUILD_WITHIN_S = 800  # 15 s alone on two cores, and many times that beside other tests


def _without_make() -> dict[str, str]:
    """Return this environment without what `make test` tells the makes that it starts."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


@dataclass(frozen=True)
class Rehearsal:
    """A repository in which `make release` can be tried."""

    directory: Path

    @property
    def result(self) -> Path:
        """Where the release is, once it has been made."""
        return self.directory / "dist" / "pgpool-recovery-2.0.0"

    def git(self, *words: str) -> str:
        """Run git, and return what it prints."""
        argv = ["git", "-C", str(self.directory), *WHO, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def make(
        self, environment: Mapping[str, str] | None = None, umask: int = -1
    ) -> tuple[int, str]:
        """Run `make release`; return its exit status and its messages."""
        done = subprocess.run(
            # Without the making of its environment, which is there.
            ["make", "-o", ".build/release/installed", "release"],
            cwd=self.directory,
            env={**_without_make(), **(environment or {})},
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_WITHIN_S,
        )
        return done.returncode, done.stderr

    def copy(self, directory: Path) -> "Rehearsal":
        """Return a clone of it elsewhere."""
        subprocess.run(["git", "clone", "-q", str(self.directory), str(directory)], check=True)
        return with_environment(directory)


@pytest.fixture(scope="module")
def rehearsal(workspace: Workspace) -> Iterator[Rehearsal]:
    """A release that is ready: with a date in the changelog, committed and tagged."""
    subprocess.run(["make", ENVIRONMENT / "installed"], cwd=REPOSITORY, check=True)
    directory = workspace.make_new("rehearsal-")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).exists():  # Not one that is about to be removed.
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, directory / name, follow_symlinks=False)
    changelog = directory / "CHANGELOG.md"
    text, found = re.subn(
        r"^(## \S+) \(.*\)$", rf"\1 ({DATE})", changelog.read_text(), count=1, flags=re.MULTILINE
    )
    assert found == 1
    changelog.write_text(text)
    ready = with_environment(directory)
    for words in (
        ["init", "-q"],
        ["add", "--all"],
        ["commit", "-q", "-m", "A release"],
        ["tag", "v2.0.0"],
    ):
        ready.git(*words)
    yield ready
    shutil.rmtree(directory)


def with_environment(directory: Path) -> Rehearsal:
    """Give a checkout the Python packages that `make release` would install."""
    (directory / ENVIRONMENT).parent.mkdir()
    (directory / ENVIRONMENT).symlink_to(REPOSITORY / ENVIRONMENT)
    return Rehearsal(directory)
