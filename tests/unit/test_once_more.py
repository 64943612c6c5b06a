"""A test that fails once is named and forgiven; one that fails twice, or too many, are not."""

import subprocess
import sys
from pathlib import Path

import pytest

from ci.once_more import MAX_AGAIN

REPOSITORY = Path(__file__).parents[2]
ONCE = """
from pathlib import Path

def test_a():
    seen = Path(__file__).with_name("seen")
    if not seen.exists():
        seen.touch()
        raise AssertionError("once")
"""
ALWAYS = "def test_b():\n    assert False\n"
IN_ORDER = """
from pathlib import Path
import pytest

pytestmark = pytest.mark.in_order
begun = []

@pytest.fixture(autouse=True)
def begin():
    begun.append(1)

def test_first():
    pass

def test_next():
    seen = Path(__file__).with_name("seen")
    first = not seen.exists()
    seen.touch()
    assert len(begun) == 2 and not first
"""
"""The second test fails once, and needs the first."""
GOOD = "def test_c():\n    pass\n"
MANY = "".join(f"def test_{number}():\n    assert False\n" for number in range(MAX_AGAIN + 1))


@pytest.mark.parametrize(
    ("texts", "status", "ends"),
    [
        ([GOOD], 0, []),
        ([ONCE, GOOD], 0, ["FLAKY: test_0.py::test_a"]),
        ([ONCE, ALWAYS], 1, ["FLAKY: test_0.py::test_a", "FAILED TWICE: test_1.py::test_b"]),
        ([IN_ORDER], 0, ["FLAKY: test_0.py::test_next"]),
        ([MANY], 1, []),
        (["import nothing_of_that_name\n"], 2, []),
    ],
    ids=["good", "once", "twice", "in order", "many", "no test"],
)
def test_what_fails_is_run_once_more(
    tmp_path: Path, texts: list[str], status: int, ends: list[str]
) -> None:
    for number, text in enumerate(texts):
        (tmp_path / f"test_{number}.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = in_order\n")
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from ci.once_more import main"
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}; raise SystemExit(main(['-q', '.']))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == status, ran.stdout + ran.stderr
    assert [line for line in ran.stdout.splitlines() if line.startswith(("FLAKY", "FAILED T"))] == (
        ends
    )
