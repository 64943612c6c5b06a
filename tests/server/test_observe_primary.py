"""The facts about a primary of each major, of which a remote start does not need all."""

from pathlib import PurePath

import pytest
from psycopg.conninfo import conninfo_to_dict

from pgpool_recovery.observe.primary import observe_primary
from pgpool_recovery.postgres.connection import connect
from tests.harness.postgresql import Server
from tests.server.conftest import on_each_major

pytestmark = on_each_major


@pytest.mark.parametrize("looks_at_files", [True, False])
def test_sizes_are_for_a_plan(server: Server, *, looks_at_files: bool) -> None:
    """Sizes are measured for a plan only.

    To measure them the server examines every file; a remote start needs only the locations.
    """
    location = server.data_directory.parent / "space"
    server.create_tablespace("space", location)
    try:
        server.execute("CREATE TABLE t TABLESPACE space AS SELECT generate_series(1, 1000)")
        own = conninfo_to_dict(server.conninfo_from_here(dbname="postgres"))
        with connect({word: str(text) for word, text in own.items()}, timeout_s=5) as connection:
            facts = observe_primary(connection, looks_at_files=looks_at_files)
        [space] = facts.tablespaces
        assert PurePath(space.location) == location
        assert (space.size_bytes > 0, facts.data_bytes > 0) == (looks_at_files, looks_at_files)
        assert facts.wal_bytes_per_s is not None
        assert 0 < facts.wal_bytes_per_s < 2**30
        assert facts.wal_free_bytes is not None
        assert facts.wal_free_bytes > 0
        # Neither is seen from here if the server has a root directory of its own.
        assert (facts.wal_directory is None) == (facts.data_directory is None)
        assert facts.wal_directory is None or facts.wal_directory != facts.data_directory
    finally:
        server.execute("DROP TABLE IF EXISTS t")
        server.execute("DROP TABLESPACE space")
        server.machine.run(["rm", "-r", location])
