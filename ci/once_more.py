"""Run pytest; run a failed test once more by itself, and report it as flaky if it passes then.

Usage: python -m ci.once_more [arguments for pytest]. This is for the tests that need servers: a few
files run at a time, and a machine that is overloaded for a moment is no fault of the tested code.
If the last lines name a test, find out why and fix it. More than `MAX_AGAIN` failures are no
accident, and are not run again. Where tests build on each other (marked `in_order`), one of them
alone would test something else, or nothing, so the whole file is run again.
"""

import subprocess
import sys

import pytest

MAX_AGAIN = 4
IN_ORDER = "in_order"


class Failures:
    """Collects the names of the tests that fail, including those of workers.

    `names` maps each to what must be run again, a test or a file.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Receive the result of a test's setup, call or teardown."""
        if report.failed:
            file = report.nodeid.partition("::")[0]
            self.names[report.nodeid] = file if IN_ORDER in report.keywords else report.nodeid


def main(words: list[str]) -> int:
    """Run the tests; return pytest's exit status, or 0 when every failed test passes by itself."""
    failures = Failures()
    status = int(pytest.main(words, plugins=[failures]))
    to_run = dict.fromkeys(failures.names.values())
    if status != pytest.ExitCode.TESTS_FAILED or len(to_run) > MAX_AGAIN:
        return status
    passes = {again: _passes_alone(again) for again in to_run}
    for name, again in failures.names.items():
        print(f"{'FLAKY' if passes[again] else 'FAILED TWICE'}: {name}", flush=True)
    return 0 if all(passes.values()) else status


def _passes_alone(name: str) -> bool:
    argv = [sys.executable, "-m", "pytest", "-q", "-m", "", name]
    return subprocess.run(argv, check=False).returncode == 0  # no limit: each test has its own


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
