"""The history of the primary's timeline, which not every role may read."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.domain.error import Cancelled, Denied, QueryRefused, RecoveryError, Unreachable
from pgpool_recovery.postgres.standby import read_history

if TYPE_CHECKING:
    from pgpool_recovery.postgres.connection import Connection


class Primary:
    """A server whose answer is a failure."""

    def __init__(self, failure: RecoveryError) -> None:
        self._failure = failure

    def row(self, _query: str) -> dict[str, Any]:
        raise self._failure


@pytest.mark.parametrize("kind", [QueryRefused, Denied, Unreachable])
def test_unreadable_history_is_none(kind: type[RecoveryError]) -> None:
    assert read_history(cast("Connection", Primary(kind("no")))) is None


def test_cancel_is_not_swallowed() -> None:
    with pytest.raises(Cancelled):
        read_history(cast("Connection", Primary(Cancelled("the recovery was cancelled"))))
