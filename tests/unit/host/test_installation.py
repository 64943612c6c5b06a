"""A program is asked for its version once, and one that takes its place again."""

from pathlib import Path

import pytest

from pgpool_recovery.host.installation import PROGRAMS, find_bin_directory
from pgpool_recovery.host.stop import Stop

STOP = Stop()
"""That of a process."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in PROGRAMS:
        put(tmp_path, name, 15)
    return tmp_path


def put(directory: Path, name: str, major: int) -> None:
    """Put a program there as a package does, which also writes down each call."""
    text = f"#!/bin/sh\necho x >> {directory}/calls\necho 'postgres (PostgreSQL) {major}.1'\n"
    (directory / "new").write_text(text)
    (directory / "new").chmod(0o755)
    (directory / "new").rename(directory / name)


def calls(directory: Path) -> int:
    return len((directory / "calls").read_text().split())


def test_version_is_asked_once(directory: Path) -> None:
    found = [find_bin_directory(15, [str(directory)], STOP) for _ in range(3)]
    assert found == [str(directory)] * 3
    assert calls(directory) == 1


def test_program_that_was_exchanged_is_asked_again(directory: Path) -> None:
    assert find_bin_directory(15, [str(directory)], STOP) == str(directory)
    put(directory, "postgres", 16)
    assert find_bin_directory(15, [str(directory)], STOP) != str(directory)
    assert calls(directory) == 2


def test_program_that_does_not_run_is_asked_again(directory: Path) -> None:
    """It may do so later: nothing is known of its version."""
    (directory / "postgres").write_text("#!/bin/sh\nexit 1\n")
    assert find_bin_directory(15, [str(directory)], STOP) != str(directory)
    (directory / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.1'\n")
    assert find_bin_directory(15, [str(directory)], STOP) == str(directory)
