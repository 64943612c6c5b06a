"""Sizes, rates and durations are said in one way, whatever says them."""

import ast
import re
from pathlib import Path

import pgpool_recovery

PACKAGE = Path(pgpool_recovery.__file__).parent
SPEAKING = (
    *PACKAGE.glob("plan/*.py"),
    *PACKAGE.glob("facts/step/*.py"),
    PACKAGE / "domain/event.py",
)
EXACT = {
    "plan/broken_archive.py": "how long a command was waited for, a limit of the settings",
    "plan/from_archive.py": "two sizes that may differ by a byte",
}
UNIT = re.compile(r" ?(s|seconds?|min|minutes?|h|hours?|bytes|kB|MB|GB|TB)\b")


def test_plans_and_events_leave_units_to_the_formatter() -> None:
    """A number with a unit of its own reads "at least 209716 s" where the data is large."""
    found = [
        (str(file.relative_to(PACKAGE)), ast.unparse(text))
        for file in SPEAKING
        for text in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr) and _has_unit(text)
    ]
    assert {file for file, _ in found} == EXACT.keys(), found


def _has_unit(text: ast.JoinedStr) -> bool:
    return any(
        isinstance(value, ast.FormattedValue)
        and isinstance(after, ast.Constant)
        and UNIT.match(str(after.value)) is not None
        for value, after in zip(text.values, text.values[1:], strict=False)
    )
