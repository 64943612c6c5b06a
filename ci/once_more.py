"""Run pytest; a test that fails is run once more by itself, and is named as flaky when it passes.

Usage: python -m ci.once_more [words for pytest]. For the tests that need servers: two files run at
a time, and a machine that is short of breath for a moment is no fault of what is tested. Whoever
sees a name in the last lines finds out why, and mends it. More than `MAX_AGAIN` failures are no
accident, and are not run again. Where tests build on each other (marked `in_order`), one of them
alone would test something else, or nothing: the whole file is run again.
"""

import subprocess
import sys

import pytest

MAX_AGAIN = 4
IN_ORDER = "in_order"


class Failures:
    """Collects the names of the tests that fail, those of workers as well.

    `names`: with each, the name of what is to be run again, a test or a file.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear of the end of a test's setup, call or teardown."""
        if report.failed:
            file = report.nodeid.partition("::")[0]
            self.names[report.nodeid] = file if IN_ORDER in report.keywords else report.nodeid


def main(words: list[str]) -> int:
    """Run the tests; return pytest's exit status, or 0 when whatever failed passes by itself."""
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
