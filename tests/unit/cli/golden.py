"""Screens as golden files: what a person reads, to be reviewed as text.

With the environment variable PGPOOL_RECOVERY_WRITE_GOLDEN they are written again.
"""

import os
from pathlib import Path

GOLDEN = Path(__file__).with_name("golden")


def assert_golden(name: str, text: str) -> None:
    """Assert that a screen is equal to its golden file."""
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("PGPOOL_RECOVERY_WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()
