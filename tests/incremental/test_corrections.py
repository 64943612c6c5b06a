"""C1, C2 and C3: without one of them, a standby runs with wrong data; with it, its data is right.

Each test puts the servers into a state that triggers the bug for certain. Without the correction,
the standby starts and streams without a complaint; only its contents show the bug.
"""

import pytest

from tests.harness.contents import table_sums, wait_for_replay
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.until import until
from tests.incremental.site import (
    BackupFailed,
    Recovery,
    assert_equal,
    make_gap,
    restart_cleanly,
)
from tests.majors import needs_postgresql

MAJORS = (17, 18, 19)
ROWS = 40_000
TABLE = f"""
    CREATE TABLE t (id int PRIMARY KEY, filler text);
    INSERT INTO t SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, {ROWS}) AS n;
    VACUUM (FREEZE, ANALYZE) t;"""
# The rows are frozen. Otherwise the primary would set hint bits when the test reads the table
# there, and their full page images would replace the target's wrong pages.
COUNT = """
    SET enable_seqscan = off; SET enable_bitmapscan = off;
    SELECT count(*) FROM t WHERE id BETWEEN 1 AND 2000;"""


@pytest.fixture(params=[pytest.param(major, marks=needs_postgresql(major)) for major in MAJORS])
def major(request: pytest.FixtureRequest) -> int:
    """Each major that has incremental backups, since each may need other corrections."""
    value: int = request.param
    return value


@pytest.mark.parametrize("without", [(), ("C1",)], ids=["with", "without"])
def test_c1_visibility_maps_come_whole(
    two: list[Server], product: Product, without: tuple[str, ...]
) -> None:
    """C1 replaces a visibility map whose bits were cleared without a block reference in WAL.

    The servers here have the fix of August 2026 and would write the reference. The test makes by
    hand what older ones leave: it puts the map from before a deletion back on the target.
    """
    primary, target = two
    primary.execute(TABLE)
    (path,) = primary.sql("SELECT pg_relation_filepath('t') || '_vm'")[0]
    old_map = target.machine.home / "old_map"
    restart_cleanly(primary, target)
    target.machine.run(["cp", target.data_directory / path, old_map])
    primary.execute("DELETE FROM t WHERE id <= 500;")
    restart_cleanly(primary, target)
    target.stop()
    target.machine.run(["cp", old_map, target.data_directory / path])
    make_gap(primary, target)
    Recovery(primary, target, product, without=without).run()
    wait_for_replay(target, primary.wal_position())
    assert primary.sql(COUNT) == [("1500",)]
    if without:
        assert target.sql(COUNT) == [("2000",)], "the deleted rows are not visible any more"
    else:
        assert target.sql(COUNT) == [("1500",)]
        assert_equal(primary, target)


def is_fixed(server: Server) -> bool:
    """Return whether the server needs no C2 and C3, as was observed of 17.12, not 18.6 or 19rc1."""
    version = int(server.sql("SHOW server_version_num")[0][0])
    return 170012 <= version < 180000 or 180007 <= version < 190000


def truncate(primary: Server) -> None:
    """Make VACUUM truncate the last two thirds of the table."""
    primary.execute(f"DELETE FROM t WHERE id > {ROWS} / 3;")
    until(lambda: is_cut(primary), within_s=30, what="VACUUM to truncate t")
    primary.execute("CHECKPOINT;")


def is_cut(primary: Server) -> bool:
    primary.execute("VACUUM t;")
    return int(primary.sql("SELECT pg_relation_size('t') / 8192")[0][0]) < ROWS / 100


def grow(primary: Server) -> None:
    """Make the table grow again with other rows, in WAL of a later summary."""
    primary.execute(
        f"""
        INSERT INTO t SELECT n, 'grown' || repeat(md5(n::text), 4)
          FROM generate_series({ROWS + 1}, {2 * ROWS}) AS n;
        CHECKPOINT;"""
    )


def assert_c2(primary: Server, target: Server, product: Product, without: tuple[str, ...]) -> None:
    Recovery(primary, target, product, without=without).run()
    if without:
        wait_for_replay(target, primary.wal_position())
        assert (table_sums(target) == table_sums(primary)) is is_fixed(primary)
        assert target.sql("SELECT pg_is_in_recovery(), count(*) FROM pg_stat_wal_receiver") == [
            ("t", "1")
        ]
    else:
        assert_equal(primary, target)


@pytest.mark.parametrize("without", [(), ("C2",)], ids=["with", "without"])
def test_c2_truncation_then_growth_in_summaries_that_are_read_newest_first(
    two: list[Server], product: Product, without: tuple[str, ...]
) -> None:
    """C2 is needed if the server reads its newest summary first.

    It does so here, because the data directories are on tmpfs, where readdir() returns the newest
    file first.
    """
    primary, target = two
    primary.execute(TABLE)
    restart_cleanly(primary, target)
    target.stop()
    truncate(primary)
    grow(primary)
    make_gap(primary, target)
    assert_c2(primary, target, product, without)


@pytest.mark.parametrize("without", [(), ("C2",)], ids=["with", "without"])
def test_c2_truncation_then_growth_on_a_new_timeline(
    three: list[Server], product: Product, without: tuple[str, ...]
) -> None:
    """C2 is needed on every filesystem after a timeline switch.

    The server reads the summaries of the newest timeline first, whatever readdir() returns.
    """
    old_primary, target, primary = three
    old_primary.execute(TABLE)
    restart_cleanly(old_primary, target)
    target.stop()
    truncate(old_primary)
    wait_for_replay(primary, old_primary.wal_position())
    old_primary.stop()
    primary.promote()
    grow(primary)
    make_gap(primary, target)
    assert_c2(primary, target, product, without)


@pytest.mark.parametrize("without", [(), ("C3",)], ids=["with", "without"])
def test_c3_target_that_replayed_past_the_fork(
    three: list[Server], product: Product, without: tuple[str, ...]
) -> None:
    """C3 refuses a target with rows that were written after the new primary left their timeline."""
    old_primary, target, primary = three
    target.set(shared_buffers="1MB")  # It writes changed pages before any restartpoint.
    old_primary.execute(TABLE)
    restart_cleanly(old_primary, target)
    wait_for_replay(primary, old_primary.wal_position())
    primary.stop()
    old_primary.execute("UPDATE t SET filler = 'lost' WHERE id % 3 = 0;")
    wait_for_replay(target, old_primary.wal_position())
    target.stop()
    old_primary.kill()
    primary.start()
    primary.promote()
    primary.execute(
        "CREATE TABLE more AS SELECT n, repeat(md5(n::text), 9) FROM generate_series(1, 90000) n;"
    )
    make_gap(primary, target)
    recovery = Recovery(primary, target, product, without=without)
    if without and not is_fixed(primary):
        recovery.run()
        wait_for_replay(target, primary.wal_position())
        assert table_sums(target) != table_sums(primary)
        return
    before = recovery.checksum()
    with pytest.raises(BackupFailed) as caught:
        recovery.run()
    said = f"{caught.value.record['message']} {caught.value.record['detail']}"
    assert ("switched timelines" if without else "the target has diverged") in said
    assert caught.value.record["target"] == "untouched"
    assert recovery.checksum() == before
