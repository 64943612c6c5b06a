"""The rule finds texts that could contain "None", and this checkout follows it."""

from pathlib import Path

import pytest

from ci.rules.told_none import violations

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("statement", "is_seen"),
    [
        ('x = f"{error.message}: {error.detail}"', True),
        ('x = f"could not read it: {error.strerror}"', True),
        ('x = "could not read it: %s" % error.strerror', True),
        ('x = "could not read %s: %s" % (file, error.strerror)', True),
        ("x = error.strerror", True),
        ('x = f"could not write {error.filename}"', True),
        ('x = f"tried: {login.problem}"', True),
        ('x = f"{error.detail}" if error.detail else ""', False),
        ('x = "" if error.detail is None else f": {error.detail}"', False),
        ('if error.detail is not None:\n    x = f"{error.detail}"', False),
        ('if other.detail is not None:\n    x = f"{error.detail}"', True),
        ("x = error.strerror or str(error)", False),
        ('x = f"{error.detail or error.message}"', False),
        ('x = f"{error.in_a_line}"', False),
        ("x = error.detail", False),
    ],
)
def test_planted_violations_are_seen(tmp_path: Path, statement: str, *, is_seen: bool) -> None:
    package = tmp_path / "src" / "pgpool_recovery" / "domain"
    package.mkdir(parents=True)
    for name in ("error.py", "other.py"):
        (package / name).write_text(f"{statement}\n")
    assert len(list(violations(tmp_path))) == is_seen


def test_nothing_here_breaks_it() -> None:
    assert list(violations(ROOT)) == []
