"""Modules that are imported ahead, in processes of their own that end meanwhile."""

import subprocess
import sys
from pathlib import Path

SLOW = """
import pathlib, time
place = pathlib.Path(__file__).parent
(place / "begun").touch()
time.sleep(0.3)
(place / "whole").touch()
"""
NEXT = "import pathlib; (pathlib.Path(__file__).parent / 'next').touch()"
UNTIL_BEGUN = """
import pathlib, time
while not pathlib.Path("begun").exists():
    time.sleep(0.01)
"""
AHEAD = """
from pgpool_recovery.files.ahead import import_ahead
import_ahead(["slow_one", "next_one"])
"""
THE_REST = """
import pkgutil, types
from pgpool_recovery.cli.whole import load_the_rest_later
names = "slow_one", "next_one"
pkgutil.walk_packages = lambda *_: [types.SimpleNamespace(name=name) for name in names]
load_the_rest_later(0)
"""


def run(place: Path, program: str) -> None:
    (place / "slow_one.py").write_text(SLOW)
    (place / "next_one.py").write_text(NEXT)
    subprocess.run(
        [sys.executable, "-c", program], cwd=place, check=True, timeout=60, env={"PYTHONPATH": "."}
    )


def test_process_that_ends_waits_for_the_module_that_is_being_imported(tmp_path: Path) -> None:
    """Otherwise it crashes, if the module is one in C."""
    run(tmp_path, AHEAD + UNTIL_BEGUN)
    assert (tmp_path / "whole").exists()
    assert not (tmp_path / "next").exists()


def test_process_that_ends_while_it_loads_the_rest_does_so_too(tmp_path: Path) -> None:
    run(tmp_path, THE_REST + UNTIL_BEGUN)
    assert (tmp_path / "whole").exists()
    assert not (tmp_path / "next").exists()


def test_all_are_imported_while_the_process_lives(tmp_path: Path) -> None:
    until_next = UNTIL_BEGUN.replace("begun", "next")
    run(tmp_path, AHEAD + until_next)
    assert (tmp_path / "next").exists()


def test_process_that_ends_early_loads_nothing(tmp_path: Path) -> None:
    run(tmp_path, THE_REST.replace("later(0)", "later(600)"))
    assert not (tmp_path / "begun").exists()
