"""docs/reference/commands.md agrees with the code.

With the environment variable PGPOOL_RECOVERY_WRITE_GOLDEN it is written again.
"""

import os
from pathlib import Path

from tests.unit.cli.reference import BLOCK, generated, with_generated

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "commands.md"


def test_page_is_current() -> None:
    page = with_generated(PAGE.read_text())
    if os.environ.get("PGPOOL_RECOVERY_WRITE_GOLDEN"):
        PAGE.write_text(page)
    assert page == PAGE.read_text()


def test_every_generated_block_is_on_the_page() -> None:
    named = [name for _, name, _ in BLOCK.findall(PAGE.read_text())]
    assert sorted(named) == sorted(name for name, _ in generated())
