"""Files become like those of the source, whatever was there before."""

import os
import stat
from pathlib import Path

import pytest

from tests.unit.blocks.ends import contents, make_cluster, read, transfer, write

CASES = {
    "equal": ("abcd", "abcd"),
    "one block": ("abcd", "aXcd"),
    "missing": ("abcd", None),
    "shorter": ("abcd", "ab"),
    "longer": ("ab", "abcd"),
    "empty there": ("abcd", ""),
    "empty here": ("", "abcd"),
    "both empty": ("", ""),
    "zeros": ("a..d", "abcd"),
    "zeros at the end": ("ab..", "ab"),
    "all zeros": ("....", None),
    "zeros there": ("abcd", "...."),
}


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def compresses(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("case", CASES)
def test_a_file(tmp_path: Path, case: str, compresses: bool) -> None:  # noqa: FBT001
    source, target = make_cluster(tmp_path / "source"), make_cluster(tmp_path / "target")
    ours, theirs = CASES[case]
    write(source, {"base/5/1": contents(ours)})
    if theirs is not None:
        write(target, {"base/5/1": contents(theirs)})
    transfer(source, target, ["base/5/1"], compresses=compresses)
    assert read(target) == {"base/5/1": contents(ours)}


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_file_that_is_equal_is_not_written(tmp_path: Path, mode: int) -> None:
    """Each write, even of a length, costs the disk a transaction; only a wrong mode is worth it."""
    source, target = make_cluster(tmp_path / "source"), make_cluster(tmp_path / "target")
    for directory in (source, target):
        write(directory, {"base/5/1": contents("abcd")})
    file = target / "base/5/1"
    file.chmod(mode)
    os.utime(file, ns=(0, 0))
    before = file.stat()
    transfer(source, target, ["base/5/1"])
    after = file.stat()
    assert stat.S_IMODE(after.st_mode) == 0o600
    assert (after.st_mtime_ns == before.st_mtime_ns) == (mode == 0o600)
