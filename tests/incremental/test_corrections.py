"""C1, C2 and C3: without one of them the standby runs and holds wrong data, with it right data.

Each is shown by a state of servers that brings the bug about for certain. Without the correction
the standby starts, streams, and says nothing: only its contents tell.
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
# Frozen, or the primary would set hint bits when the test reads the table there: their full page
# images would put its pages in place of the target's wrong ones.
COUNT = """
    SET enable_seqscan = off; SET enable_bitmapscan = off;
    SELECT count(*) FROM t WHERE id BETWEEN 1 AND 2000;"""


@pytest.fixture(params=[pytest.param(major, marks=needs_postgresql(major)) for major in MAJORS])
def major(request: pytest.FixtureRequest) -> int:
    """A later major than the other tests have: corrections are what each one may need or not."""
    value: int = request.param
    return value


@pytest.mark.parametrize("without", [(), ("C1",)], ids=["with", "without"])
def test_c1_visibility_maps_come_whole(
    two: list[Server], product: Product, without: tuple[str, ...]
) -> None:
    """A visibility map whose bits were cleared without a block reference in WAL.

    The servers here have the fix of August 2026 and would write the reference. What the older ones
    leave is made by hand: the map of before a deletion, put back on the target.
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
    """Say whether the server does C2 and C3 by itself: 17.12 was seen to, 18.6 and 19rc1 not to."""
    version = int(server.sql("SHOW server_version_num")[0][0])
    return 170012 <= version < 180000 or 180007 <= version < 190000


def truncate(primary: Server) -> None:
    """Have VACUUM cut off the last two thirds of the table."""
    primary.execute(f"DELETE FROM t WHERE id > {ROWS} / 3;")
    until(lambda: is_cut(primary), within_s=30, what="VACUUM to truncate t")
    primary.execute("CHECKPOINT;")


def is_cut(primary: Server) -> bool:
    primary.execute("VACUUM t;")
    return int(primary.sql("SELECT pg_relation_size('t') / 8192")[0][0]) < ROWS / 100


def grow(primary: Server) -> None:
    """Let the table grow again by other rows, in WAL of a later summary."""
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
    """The data directories lie on tmpfs, whose readdir gives the newest file first."""
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
    """The server reads the summaries of the newest timeline first, on every filesystem."""
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
    """The target has rows of a timeline that the new primary left before they were written."""
    old_primary, target, primary = three
    target.set(shared_buffers="1MB")  # So that it writes changed pages before any restartpoint.
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
