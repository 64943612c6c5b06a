"""Files become like those of the source, whatever was there before."""

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
