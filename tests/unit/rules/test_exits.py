"""The rule finds text that is written elsewhere, and this checkout follows it."""

from pathlib import Path

import pytest

from ci.rules.exits import violations

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("statement", "is_seen"),
    [
        ('print("x")', True),
        ('sys.stdout.write("x")', True),
        ('sys.stderr.writelines(["x"])', True),
        ("console.print(line)", True),
        ("self._console.print(one_line(line), markup=False)", False),
        ('say("\\n".join(lines))', True),
        ('say(*text.split("\\n"))', False),
        ("sys.stdout.flush()", False),
        ('file.write("x")', False),
        ('process.stdin.write("x")', False),
    ],
)
def test_planted_violations_are_seen(tmp_path: Path, statement: str, *, is_seen: bool) -> None:
    package = tmp_path / "src" / "pgpool_recovery" / "cli"
    package.mkdir(parents=True)
    for name in ("say.py", "other.py"):
        (package / name).write_text(f"import sys\n{statement}\n")
    assert [line.partition(": ")[0] for line in violations(tmp_path)] == [
        "src/pgpool_recovery/cli/other.py:2"
    ] * is_seen


def test_nothing_here_breaks_it() -> None:
    assert list(violations(ROOT)) == []
