"""What the page for people who decide says about speed is what was measured."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_numbers_are_those_of_the_measurement() -> None:
    """Each duration on the page is in the table of results."""
    results = (DOCS / "explanation" / "performance.md").read_text().partition("## Results")[2]
    said = re.findall(r"\d+(?:\.\d+)? (?:ms|s)\b", (DOCS / "explanation" / "why.md").read_text())
    assert len(said) >= 2
    assert [number for number in said if f"| {number} |" not in results] == []
