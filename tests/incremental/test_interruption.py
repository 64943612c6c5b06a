"""Promise 4: a backup is killed again and again; its directory cannot start, and is completed."""

import pytest

from tests.harness.command import CommandError
from tests.harness.contents import wait_for_replay
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.incremental.site import BackupFailed, Recovery, assert_equal, make_gap, restart_cleanly

ROWS = 60_000
MIB = 2**20
TABLES = "".join(
    f"""
    CREATE TABLE t{number} (id int PRIMARY KEY, filler text);
    INSERT INTO t{number} SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, {ROWS}) AS n;"""
    for number in range(3)
)


def change(primary: Server, turn: int) -> None:
    """Change scattered blocks, truncate a table, create and drop others."""
    primary.execute(
        f"""
        UPDATE t0 SET filler = 'turn {turn}' || filler WHERE id % 17 = {turn};
        DELETE FROM t1 WHERE id > {ROWS} - {turn + 1} * {ROWS} / 5;
        VACUUM t1;
        INSERT INTO t1 SELECT n, 'turn {turn}' FROM generate_series(-{turn + 1} * 9000,
          -{turn} * 9000 - 1) AS n;
        DROP TABLE IF EXISTS made;
        CREATE TABLE made AS SELECT n, repeat(md5(n::text), 9) AS filler
          FROM generate_series(1, 20000) AS n;
        TRUNCATE t2;
        INSERT INTO t2 SELECT n, 'turn {turn}' FROM generate_series(1, 5000) AS n;
        CHECKPOINT;"""
    )


def assert_cannot_start(recovery: Recovery) -> None:
    """Assert that no server starts on the half applied backup in the workspace."""
    target = recovery.target
    program = target.installation.program("pg_ctl")
    log = target.machine.home / "start.log"
    where = ["-D", str(recovery.directory), "-l", str(log)]
    with pytest.raises(CommandError):
        target.machine.run([program, *where, "-w", "-t", "20", "start"])
    assert "could not" in target.machine.path(log).read_text()


def test_promise_4_killed_twice_while_the_primary_changes(
    two: list[Server], product: Product
) -> None:
    primary, target = two
    primary.execute(f"{TABLES} VACUUM (FREEZE, ANALYZE);")
    restart_cleanly(primary, target)
    target.stop()
    change(primary, 0)
    make_gap(primary, target)
    recovery = Recovery(primary, target, product)
    recovery.take_out()
    base = recovery.read_base()
    for turn, pause_at_bytes in enumerate((1, 12 * MIB), start=1):
        segments = recovery.truncated(base.redo)
        received_bytes = recovery.begin(
            segments, pause_at_bytes=pause_at_bytes
        ).kill_in_the_middle()
        assert received_bytes >= pause_at_bytes
        assert_cannot_start(recovery)
        assert recovery.read_base().redo == base.redo
        change(primary, turn)
    recovery.run()
    assert_equal(primary, target)
    left = target.machine.run(["find", target.data_directory, "-name", "*pgpool_recovery*"])
    assert left.stdout == ""


def test_promise_4_interrupted_then_the_primary_was_left_behind(
    three: list[Server], product: Product
) -> None:
    """A half applied backup from another timeline counts as diverged.

    It is not known up to which point of the abandoned timeline its blocks go.
    """
    first, target, second = three
    first.execute(f"{TABLES} VACUUM (FREEZE, ANALYZE);")
    restart_cleanly(first, target)
    target.stop()
    change(first, 0)
    make_gap(first, target)
    recovery = Recovery(first, target, product)
    recovery.take_out()
    segments = recovery.truncated(recovery.read_base().redo)
    recovery.begin(segments, pause_at_bytes=1).kill_in_the_middle()
    wait_for_replay(second, first.wal_position())
    first.kill()
    second.promote()
    change(second, 1)
    with pytest.raises(BackupFailed) as caught:
        Recovery(second, target, product).back_up()
    assert caught.value.record["message"] == "the target has diverged from the primary"
    assert "up to an unknown point" in caught.value.record["detail"]
    assert caught.value.record["target"] == "untouched"
    assert_cannot_start(recovery)
