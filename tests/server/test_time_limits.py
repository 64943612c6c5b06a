"""A time limit that every session begins with ends no call; one that the session sets does."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.command import CommandError
from tests.harness.postgresql import Server
from tests.majors import needs_postgresql
from tests.server.conftest import write_script

on_majors_with_the_setting = pytest.mark.parametrize(
    "major",
    [pytest.param(major, marks=needs_postgresql(major)) for major in (17, 18)],
    indirect=True,
    scope="module",
)
LIMIT = "500ms"
LONGER = "sleep 1"
STAGE = "SELECT pgpool_recovery('stage', 'host', '/data')"
START = "SELECT pgpool_remote_start('host', '/data')"
PLAN = "SELECT pgpool_recovery_plan('host', '/data', '5432', 1, '5432', 'here')"
SWITCH = "SET pgpool.switch_xlog_timeout = 1; SELECT pgpool_switch_xlog('/tmp')"


def answer(call: Callable[[], Any]) -> str:
    """Return the message of a call that must fail."""
    with pytest.raises(CommandError) as caught:
        call()
    return str(caught.value)


@on_majors_with_the_setting
def test_limit_of_a_role_ends_no_call(server: Server) -> None:
    for name in ("stage", "pgpool_remote_start", "pgpool_recovery_plan"):
        write_script(server, LONGER, name)
    server.execute(f"ALTER ROLE postgres SET transaction_timeout = '{LIMIT}'")
    try:
        assert "transaction timeout" in answer(lambda: server.execute("SELECT pg_sleep(1)"))
        assert server.sql(STAGE) == [("t",)]
        assert server.sql(START) == [("t",)]
        assert "gave no answer" in answer(lambda: server.execute(PLAN))
        assert "was not archived" in answer(lambda: server.execute(SWITCH))
        ((shown,),) = server.sql("SHOW transaction_timeout")
        assert shown == LIMIT, "the limit must apply again to what the session does next"
    finally:
        server.execute("ALTER ROLE postgres RESET transaction_timeout")


@on_majors_with_the_setting
def test_limit_of_the_session_itself_ends_it(server: Server) -> None:
    write_script(server, LONGER)
    said = answer(lambda: server.execute(f"SET transaction_timeout = '{LIMIT}'; {STAGE}"))
    assert "terminating connection due to transaction timeout" in said


@on_majors_with_the_setting
def test_limit_of_a_role_for_statements_ends_it(server: Server) -> None:
    """The role's statement_timeout ends a call.

    It is already running when the function begins, and a DBA relies on it.
    """
    write_script(server, LONGER)
    server.execute(f"ALTER ROLE postgres SET statement_timeout = '{LIMIT}'")
    try:
        said = answer(lambda: server.execute(STAGE))
    finally:
        server.execute("ALTER ROLE postgres RESET statement_timeout")
    assert "WARNING:  canceling statement due to statement timeout" in said
    assert "ERROR:  canceling statement due to statement timeout" in said
