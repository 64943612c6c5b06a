"""Who the caller is: SQL knows, and a server that does not allow UNLISTEN acts for another role.

tests/cluster/test_passwords.py tests this with a real server.
"""

from typing import Any

import pytest
from pgpool_recovery_server.invoker import RESTRICTED, invoker_is_superuser


class NotAllowedError(Exception):
    """What plpy.SPIError is to PL/Python."""


class Plpy:
    """PL/Python's module, in a session in which UNLISTEN is allowed or not."""

    SPIError = NotAllowedError

    def __init__(self, *, is_restricted: bool) -> None:
        self.is_restricted = is_restricted

    def execute(self, query: str) -> None:
        assert query == RESTRICTED
        if self.is_restricted:
            raise NotAllowedError("cannot execute UNLISTEN within security-restricted operation")


class Session:
    """A session whose query has these rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def query(self, _name: str, _text: str) -> list[dict[str, Any]]:
        return self.rows


@pytest.mark.parametrize(
    ("rows", "is_restricted", "is_direct", "expected"),
    [
        ([{"is_superuser": True}], False, True, True),
        ([{"is_superuser": True}], False, False, False),
        ([{"is_superuser": True}], True, True, False),
        ([{"is_superuser": False}], False, True, False),
        ([], False, True, False),
    ],
)
def test_only_a_superuser_himself(
    rows: list[dict[str, Any]], *, is_restricted: bool, is_direct: bool, expected: bool
) -> None:
    plpy: Any = Plpy(is_restricted=is_restricted)
    session: Any = Session(rows)
    assert invoker_is_superuser(plpy, session, is_direct) == expected
