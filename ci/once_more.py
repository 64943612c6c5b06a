"""Run pytest; a test that fails is run once more by itself, and is named as flaky when it passes.

Usage: python -m ci.once_more [words for pytest]. For the tests that need servers: two files run at
a time, and a machine that is short of breath for a moment is no fault of what is tested. Whoever
sees a name in the last lines finds out why, and mends it. More than `MAX_AGAIN` failures are no
accident, and are not run again.
"""

import subprocess
import sys

import pytest

MAX_AGAIN = 4


class Failures:
    """Collects the names of the tests that fail, those of workers as well."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear of the end of a test's setup, call or teardown."""
        if report.failed:
            self.names[report.nodeid] = None


def main(words: list[str]) -> int:
    """Run the tests; return pytest's exit status, or 0 when whatever failed passes by itself."""
    failures = Failures()
    status = int(pytest.main(words, plugins=[failures]))
    if status != pytest.ExitCode.TESTS_FAILED or len(failures.names) > MAX_AGAIN:
        return status
    passed = [name for name in failures.names if _passes_alone(name)]
    for name in failures.names:
        print(f"{'FLAKY' if name in passed else 'FAILED TWICE'}: {name}", flush=True)
    return 0 if len(passed) == len(failures.names) else status


def _passes_alone(name: str) -> bool:
    argv = [sys.executable, "-m", "pytest", "-q", "-m", "", name]
    return subprocess.run(argv, check=False).returncode == 0  # no limit: each test has its own


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
