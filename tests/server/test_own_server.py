"""The runner's connection to the server that called it."""

import time

import pytest

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.run.own_server import own_server
from tests.harness.postgresql import Server


@pytest.mark.parametrize("name", ["idle_session_timeout", "statement_timeout"])
def test_timeouts_of_the_role_do_not_end_a_recovery(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PGHOST", str(server.machine.address))  # The socket belongs to postgres.
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    server.execute(f"ALTER ROLE postgres SET {name} = '100ms'")
    try:
        with own_server(Settings()) as connection:
            time.sleep(0.3)
            connection.do("SELECT pg_sleep(0.3)")
    finally:
        server.execute(f"SET {name} = 0; ALTER ROLE postgres RESET {name}")
