"""Print which PostgreSQL majors the tests of each folder run on, as JSON; runs none of them.

{folder: {major: whether make test runs one of its tests on it, and not only make test-all}}
"""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
UNMARKED = 15
"""The major of Debian 12, on which the others run there: its own."""
ELSEWHERE = ("ansible", "packages", "release", "rpm", "setup")
"""What comes before a recovery: packages and what they are installed on."""
WITHOUT_SERVERS = ("unit", "property", "harness", "harness_selftest", "pages")


class Majors:
    """A plugin of pytest that looks at the marks of the tests."""

    def __init__(self) -> None:
        self.found: dict[str, dict[int, bool]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Read the marks."""
        for item in session.items:
            folder = item.path.relative_to(TESTS).parts[0]
            majors = {mark.args[0] for mark in item.iter_markers("postgresql")}
            by_make_test = item.get_closest_marker("whole_matrix") is None
            of_folder = self.found.setdefault(folder, {})
            for major in majors or {UNMARKED}:
                of_folder[major] = of_folder.get(major, False) or by_make_test


def main() -> int:
    """Collect; return 0, or pytest's status when it could not."""
    folders = [
        str(folder)
        for folder in sorted(TESTS.iterdir())
        if folder.is_dir() and folder.name not in (*WITHOUT_SERVERS, *ELSEWHERE, "__pycache__")
    ]
    majors = Majors()
    with redirect_stdout(sys.stderr):
        status = pytest.main(["--collect-only", "-qq", "-m", "", *folders], plugins=[majors])
    print(json.dumps(majors.found))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
