"""The PostgreSQL majors that a test can use for its cluster, and the Pgpool-II with each."""

import pytest

from tests.harness.system import why_no_postgresql

PGPOOL_RELEASES = {15: "4.3", 17: "4.6", 18: "4.7"}  # In Debian 12, Debian 13 and sid.
SUPPORTED = tuple(range(14, 20))
"""Debian does not have 14 and 16, which are PyPI's; 14 comes without PL/Python. There is no stock
extension for these, nor for 19, which is in experimental."""


def needs_postgresql(major: int) -> pytest.MarkDecorator:
    """Mark a test whose hosts need this major; it is skipped where there is none."""
    return pytest.mark.postgresql(major)


def in_whole_matrix(major: int) -> list[pytest.MarkDecorator]:
    """Mark a test that `make test` runs on other majors, and only `make test-all` on this one."""
    return [needs_postgresql(major), pytest.mark.whole_matrix]


def _marks_of_release(major: int) -> list[pytest.MarkDecorator]:
    is_between = min(PGPOOL_RELEASES) < major < max(PGPOOL_RELEASES)
    return in_whole_matrix(major) if is_between else [needs_postgresql(major)]


EACH_RELEASE = [
    pytest.param(major, marks=needs_postgresql(major), id=release)
    for major, release in PGPOOL_RELEASES.items()
]
"""Parameters: the major that comes with each release of Pgpool-II."""
OLDEST_AND_NEWEST_RELEASE = [
    pytest.param(major, marks=_marks_of_release(major), id=release)
    for major, release in PGPOOL_RELEASES.items()
]
"""The same for tests in which a release in between does what one of these does: only
`make test-all` runs them on it."""


def skip_without_postgresql(item: pytest.Item) -> None:
    """Have a test skipped that is marked as needing a major that no system here has."""
    for mark in item.iter_markers("postgresql"):
        reason = why_no_postgresql(mark.args[0])
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
