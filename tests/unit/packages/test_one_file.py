"""The one file names what it needs where it cannot start."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from packages.contents import script

BEGINNING = script("one_file.sh")
MAIN = script("one_file.py")
NONE_FOUND = """\
ERROR:  pgpool-recovery needs Python 3.11 or later, and there is none in /usr/bin
HINT:  Install the package python3.11, or a later one.
"""


def test_interpreter_that_is_too_old_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 6, 8))
    with pytest.raises(SystemExit) as caught:
        exec(compile(MAIN, "__main__.py", "exec"), {})  # noqa: S102 - as Python does it
    assert caught.value.code == 127
    assert "ERROR:  pgpool-recovery needs Python 3.11 or later, and this is 3.6\n" in (
        capsys.readouterr().err
    )


def test_interpreter_that_is_too_old_understands_what_it_reads() -> None:
    ast.parse(MAIN, feature_version=(3, 6))


@pytest.mark.parametrize("there", [(), ("python3", "python3.10")])
def test_no_interpreter_is_an_error(tmp_path: Path, there: tuple[str, ...]) -> None:
    assert started(tmp_path, there) == (
        127,
        "",
        NONE_FOUND,
    )


@pytest.mark.parametrize("there", [("python3.11",), ("python3.9", "python3.11", "python3.13")])
def test_newest_interpreter_runs_the_file_isolated(tmp_path: Path, there: tuple[str, ...]) -> None:
    newest = tmp_path / "bin" / there[-1]
    said = f"{newest} -ISB -X utf8 {tmp_path}/one file.pyz check --json\n"
    assert started(tmp_path, there) == (0, said, "")


def started(directory: Path, there: tuple[str, ...]) -> tuple[int, str, str]:
    """Run the beginning where only these interpreters are, which print how they are called."""
    (directory / "bin").mkdir()
    for name in there:
        interpreter = directory / "bin" / name
        interpreter.write_text('#!/bin/sh\necho "$0 $*"\n')
        interpreter.chmod(0o755)
    file = directory / "one file.pyz"
    searched = BEGINNING.replace("/usr/bin/python", f"{directory}/bin/python")
    file.write_bytes(searched.encode() + b"PK\x03\x04\0\xff'\"`$(\n")
    file.chmod(0o755)
    done = subprocess.run([file, "check", "--json"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
