"""Nodes that another tool manages are theirs."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgpool_recovery.agent.manager import find_manager


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


@contextmanager
def repmgrd(directory: Path, *options: str) -> Iterator[None]:
    """Run a program of that name; what it does does not matter."""
    program = directory / "repmgrd"
    program.write_text("#!/bin/sh\necho runs\nread line\n")
    program.chmod(0o700)
    argv = [str(program), *options]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"runs\n"
        yield
        assert process.stdin is not None
        process.stdin.close()


def test_nobody(data: Path) -> None:
    assert find_manager(data, 15) is None


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        ("patroni.dynamic.json", "Patroni"),
        ("postgresql-auto-failover.conf", "pg_auto_failover"),
    ],
)
def test_mark_in_the_data_directory(data: Path, mark: str, name: str) -> None:
    (data / mark).touch()
    assert find_manager(data, 15) == name


@pytest.mark.parametrize("option", ["-f {}", "-f{}", "--config-file={}"])
def test_repmgrd_that_runs_for_it(data: Path, tmp_path: Path, option: str) -> None:
    file = tmp_path / "repmgr.conf"
    file.write_text(f"node_id=1\n#data_directory='/elsewhere'\ndata_directory = '{data}'\n")
    with repmgrd(tmp_path, *option.format(file).split(" ")):
        assert find_manager(data, 15) == "repmgr"
        assert find_manager(tmp_path, 15) is None
    assert find_manager(data, 15) is None
