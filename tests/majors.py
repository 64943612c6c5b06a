"""The PostgreSQL majors that a test can have its cluster on, and what comes with each."""

import pytest

from tests.harness.system import why_no_postgresql

PGPOOL_RELEASES = {15: "4.3", 17: "4.6", 18: "4.7"}  # In Debian 12, in Debian 13 and in sid.
SUPPORTED = tuple(range(14, 20))
"""Debian has not all of them. Of 19, in its experimental suite, it has no stock extension."""


def needs_postgresql(major: int) -> pytest.MarkDecorator:
    """Mark a test that has hosts with this major; it is skipped where none can be made."""
    reason = why_no_postgresql(major)
    return pytest.mark.skipif(reason is not None, reason=str(reason))


def in_whole_matrix(major: int) -> list[pytest.MarkDecorator]:
    """Mark a test that `make test` has on other majors already, and on this one for `test-all`."""
    return [needs_postgresql(major), pytest.mark.whole_matrix]
