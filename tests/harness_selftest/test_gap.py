"""The pieces of a gap do what their names say, and WAL that is reported as removed is removed."""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.contents import table_sums, wait_for_replay
from tests.harness.gap import EVERYTHING, Ground, happen, prepare, rows_changed, settings_for
from tests.harness.postgresql import Server
from tests.harness.until import until
from tests.harness.wal import has_segment, has_wal_for, redo_of, remove_wal_for
from tests.harness.workspace import Workspace
from tests.harness_selftest.standby_files import primary_and_standby


@pytest.fixture(scope="module")
def servers(workspace: Workspace, namespaces: None) -> Iterator[tuple[Server, Server]]:
    plan = ClusterPlan(settings=settings_for(EVERYTHING))
    with primary_and_standby(workspace, plan) as servers:
        yield servers


def number(server: Server, query: str, *, database: str = "postgres") -> int:
    return int(server.sql(query, database=database)[0][0])


def test_everything_happens_and_a_standby_that_was_away_follows(
    servers: tuple[Server, Server],
) -> None:
    primary, standby = servers
    ground = Ground(primary, [standby])
    prepare(ground, EVERYTHING)
    before = table_sums(primary)
    assert table_sums(standby) == before
    standby.stop()
    happen(ground, EVERYTHING)
    after = table_sums(primary)
    same = {name for name in before if after.get(name) == before[name]}
    # The first table was changed only in a transaction that is still open; the others were moved
    # or rewritten without a change to their rows.
    assert same == {"postgres.public.gap_open", "postgres.public.gap_moved_in"} | {
        "postgres.public.gap_to_index"
    }
    assert has_wal_for(primary, standby)
    standby.start()
    wait_for_replay(standby, primary.wal_position())
    assert table_sums(standby) == after


def test_a_standby_follows_without_the_segment_of_its_redo(servers: tuple[Server, Server]) -> None:
    primary, standby = servers
    primary.execute("CHECKPOINT; CREATE TABLE after_redo (a int)")
    wait_for_replay(standby, primary.wal_position())
    for _ in range(2):
        primary.execute("INSERT INTO after_redo VALUES (1); SELECT pg_switch_wal();")
    wait_for_replay(standby, primary.wal_position())
    standby.stop()
    primary.execute("CHECKPOINT")
    assert not has_segment(primary, redo_of(standby))
    assert has_wal_for(primary, standby)
    standby.start()
    primary.execute("INSERT INTO after_redo VALUES (2)")
    wait_for_replay(standby, primary.wal_position())


def test_pieces_on_the_primary(servers: tuple[Server, Server]) -> None:
    """Everything that the first test made happen exists on the primary."""
    primary, _ = servers
    methods = "SELECT count(DISTINCT relam) FROM pg_class WHERE relname LIKE 'gap%indexed%'"
    assert number(primary, f"{methods} AND relkind = 'i'") == 7
    databases = "SELECT datname FROM pg_database WHERE datname LIKE 'gap%' ORDER BY 1"
    assert primary.sql(databases) == [("gap_copied",), ("gap_created",), ("gap_moved",)]
    assert number(primary, "SELECT count(*) FROM inside", database="gap_created") == 1000
    tablespaces = "SELECT spcname FROM pg_tablespace WHERE spcname LIKE 'gap%' ORDER BY 1"
    assert primary.sql(tablespaces) == [("gap_added",), ("gap_kept",)]
    assert primary.sql("SELECT gid FROM pg_prepared_xacts") == [("gap during",)]
    assert number(primary, "SELECT count(*) FROM pg_largeobject_metadata") == 30


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_the_share_of_rows_is_what_was_asked_for(
    servers: tuple[Server, Server], share: float
) -> None:
    primary, _ = servers
    primary.execute("DROP TABLE IF EXISTS gap_big")
    ground = Ground(primary)
    piece = rows_changed(share, rows=10_000)
    prepare(ground, [piece])
    primary.execute("DROP TABLE IF EXISTS old; CREATE TABLE old AS TABLE gap_big")
    happen(ground, [piece])
    unchanged = number(primary, "SELECT count(*) FROM (TABLE old INTERSECT TABLE gap_big) AS both_")
    assert 1 - unchanged / 10_000 == pytest.approx(share, rel=0.1)


def test_wal_that_is_gone(servers: tuple[Server, Server]) -> None:
    """A standby asks in vain for WAL that was removed. This test is last, since it loses it."""
    primary, standby = servers
    standby.execute("ALTER SYSTEM SET primary_slot_name = ''")  # Or it would fail on that first.
    standby.stop()
    assert has_wal_for(primary, standby)
    remove_wal_for(primary, standby)
    assert not has_wal_for(primary, standby)
    assert primary.slots() == {}
    standby.start()
    until(
        lambda: "has already been removed" in standby.log_text(),
        within_s=20,
        what="the standby to ask for WAL that is gone",
    )
