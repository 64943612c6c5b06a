"""Targets in every state in which their base is known, and unusual data directories."""

from pathlib import Path

from tests.harness.contents import wait_for_replay
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.until import until
from tests.incremental.site import Recovery, assert_equal, make_gap, restart_cleanly

ROWS = 20_000
TABLE = f"""
    CREATE TABLE t (id int PRIMARY KEY, filler text);
    INSERT INTO t SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, {ROWS}) AS n;
    CREATE TABLE untouched AS TABLE t;
    VACUUM (FREEZE, ANALYZE);"""
CHANGE = "UPDATE t SET filler = reverse(filler) WHERE id % 50 = 0;"
FIXED_BYTES = 5_000_000  # What is always sent: free space maps, visibility maps and small files.
BLOCKS = ROWS // 60  # Fewer blocks than one of the two tables has.


def test_standby_that_was_killed(two: list[Server], product: Product) -> None:
    """A killed standby has blocks newer than its last restartpoint, and it is not known which."""
    primary, target = two
    target.set(shared_buffers="1MB")
    primary.execute(TABLE)
    restart_cleanly(primary, target)
    primary.execute("UPDATE t SET filler = upper(filler) WHERE id % 3 = 0;")
    wait_for_replay(target, primary.wal_position())
    target.kill()
    primary.execute(CHANGE)
    make_gap(primary, target)
    recovery = Recovery(primary, target, product)
    recovery.take_out()
    estimate = recovery.changed_bytes(recovery.read_base().redo)
    applied = recovery.run()
    assert applied["blocks_written"] < BLOCKS
    assert 0.5 * applied["bytes_received"] < estimate + FIXED_BYTES < 2 * applied["bytes_received"]
    assert_equal(primary, target)


def test_standby_of_the_primary_before_the_failover(three: list[Server], product: Product) -> None:
    """The target is stale on timeline 1, while the new primary is on timeline 2."""
    first, target, second = three
    first.execute(TABLE)
    restart_cleanly(first, target)
    target.stop()
    first.execute(CHANGE)
    wait_for_replay(second, first.wal_position())
    first.stop()
    second.promote()
    second.execute("DELETE FROM t WHERE id % 90 = 1;")
    make_gap(second, target)
    applied = Recovery(second, target, product).run()
    assert applied["end"]["timeline"] == 2
    assert applied["blocks_written"] < BLOCKS
    assert_equal(second, target)


def test_primary_of_before_a_switchover(two: list[Server], product: Product) -> None:
    """The old primary was stopped cleanly, and the standby had all its WAL when promoted."""
    target, primary = two
    target.execute(f"{TABLE} {CHANGE}")
    target.stop()
    primary.promote()
    primary.execute("DELETE FROM t WHERE id % 90 = 1;")
    make_gap(primary, target)
    applied = Recovery(primary, target, product).run()
    assert applied["end"]["timeline"] == 2
    assert applied["blocks_written"] < BLOCKS
    assert_equal(primary, target)


def test_rewound_primary_whose_wal_is_gone(two: list[Server], product: Product) -> None:
    """pg_rewind alone would leave a node that needs a WAL segment that was removed."""
    target, primary = two
    target.execute(f"{TABLE} CHECKPOINT;")
    wait_for_replay(primary, target.wal_position())
    primary.stop()
    target.execute("UPDATE t SET filler = 'lost' WHERE id % 3 = 0;")
    target.stop()
    primary.start()
    primary.promote()
    primary.execute(f"{CHANGE} CHECKPOINT;")
    program = target.installation.program("pg_rewind")
    source = ["--source-server", primary.conninfo(dbname="postgres")]
    target.machine.run([program, "-D", target.data_directory, *source], timeout_s=120)
    assert "backup_label" in [
        entry.name for entry in target.machine.path(target.data_directory).iterdir()
    ]
    target.configure()
    needed = base_file(target)
    primary.execute("UPDATE untouched SET filler = reverse(filler) WHERE id % 1000 = 0;")
    primary.drop_slot(target.slot)
    until(lambda: is_removed(primary, needed), within_s=30, what=f"{needed} to go", every_s=0.2)
    applied = Recovery(primary, target, product).run()
    assert applied["end"]["timeline"] == 2
    assert applied["blocks_written"] < BLOCKS
    assert_equal(primary, target)


def base_file(target: Server) -> str:
    """Return the WAL file from which recovery would begin, according to backup_label."""
    label = target.machine.path(target.data_directory / "backup_label").read_text()
    return label.partition("(file ")[2][:24]


def is_removed(primary: Server, wal_file: str) -> bool:
    primary.execute("SELECT pg_switch_wal(); CHECKPOINT;")
    names = primary.sql("SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'")
    return all(name[8:] > wal_file[8:] for (name,) in names)


def test_directory_that_the_group_may_read_with_wal_elsewhere(
    two: list[Server], product: Product
) -> None:
    primary, target = two
    primary.execute(TABLE)
    restart_cleanly(primary, target)
    target.stop()
    machine, data, wal = target.machine, target.data_directory, Path("/var/lib/postgresql/wal")
    machine.run(["mv", data / "pg_wal", wal])
    machine.run(["ln", "-s", wal, data / "pg_wal"])
    machine.run(["chmod", "-R", "g+rX", data, wal])
    primary.execute(f"{CHANGE} CREATE TABLE made AS SELECT 1 AS one;")
    make_gap(primary, target)
    Recovery(primary, target, product).run()
    assert_equal(primary, target)
    assert str(machine.path(data / "pg_wal").readlink()) == str(wal)
    (path,) = primary.sql("SELECT pg_relation_filepath('made')")[0]
    assert machine.path(data / path).stat().st_mode & 0o777 == 0o640


def test_own_files_of_the_node_stay(two: list[Server], product: Product) -> None:
    primary, target = two
    primary.execute(TABLE)
    restart_cleanly(primary, target)
    target.stop()
    target.machine.write_file(target.data_directory / "conf.d" / "own.conf", "# own\n")
    primary.machine.write_file(primary.data_directory / "conf.d" / "primary.conf", "# primary\n")
    own = target.machine.path(target.data_directory / "conf.d")
    before = {entry.name: entry.read_text() for entry in own.iterdir()}
    primary.execute(CHANGE)
    make_gap(primary, target)
    Recovery(primary, target, product).run()
    assert {entry.name: entry.read_text() for entry in own.iterdir()} == before
    assert_equal(primary, target)
