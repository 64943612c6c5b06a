"""What cannot be done is refused with its reason, and the target stays unchanged."""

from collections.abc import Callable

import pytest

from pgpool_recovery.agent.method.page import is_sound
from pgpool_recovery.agent.method.relation_file import parse_path
from pgpool_recovery.plan.summaries import newly_left_out
from tests.harness.host import Host
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.template import PASSWORDS, REPLICATION_USER
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.incremental.site import (
    SILENCE_S,
    BackupFailed,
    Recovery,
    assert_equal,
    make_gap,
    restart_cleanly,
    servers_on_hosts,
)

ROWS = 30_000
TABLE = f"""
    CREATE TABLE t (id int PRIMARY KEY, filler text);
    INSERT INTO t SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, {ROWS}) AS n;
    VACUUM (FREEZE, ANALYZE) t;"""
FILLED = "CREATE TABLE {table} AS SELECT n, repeat('x', 900) FROM generate_series(1, {rows}) AS n"
BLOCK_BYTES, SEGMENT_BLOCKS = 8192, 131072
LATER_LSN = 2**64 - 1


@pytest.fixture
def stale(two: list[Server], product: Product) -> Recovery:
    """The recovery of a stopped standby, the WAL of which is gone from the primary."""
    primary, target = two
    primary.execute(TABLE)
    restart_cleanly(primary, target)
    target.stop()
    primary.execute("UPDATE t SET filler = reverse(filler) WHERE id % 50 = 0;")
    make_gap(primary, target)
    recovery = Recovery(primary, target, product)
    recovery.take_out()
    return recovery


def fail(recovery: Recovery) -> dict[str, str]:
    """Try to begin a backup and return the failure; assert that nothing has changed."""
    before = recovery.checksum()
    with pytest.raises(BackupFailed) as caught:
        recovery.begin(recovery.truncated(recovery.read_base().redo))
    assert recovery.checksum() == before
    assert caught.value.record["target"] == "untouched"
    return {name: str(text) for name, text in caught.value.record.items()}


def test_summaries_that_are_off_or_gone(stale: Recovery) -> None:
    """The plan rejects the method; if a backup is started all the same, the server refuses it."""
    primary, base = stale.primary, stale.read_base()
    assert stale.reject(base) is None
    summaries = primary.data_directory / "pg_wal" / "summaries"
    primary.machine.run(["find", summaries, "-type", "f", "-delete"])
    rejection = stale.reject(base)
    assert rejection is not None
    assert rejection.message == "the primary's WAL summaries do not go back far enough"
    assert "the first gap is at" in str(rejection.detail)
    failure = fail(stale)
    assert failure["message"] == "the primary refuses the base backup"
    assert "WAL summaries are required on timeline 1" in failure["detail"]
    assert "Make a full copy." in failure["hint"]
    primary.set(summarize_wal="off")
    until(lambda: stale.reject(base) != rejection, within_s=10, what="the setting to arrive")
    off = stale.reject(base)
    assert off is not None
    assert off.message == "the primary does not summarize its WAL"
    failure = fail(stale)
    assert "unless WAL summarization is enabled" in failure["detail"]
    assert "summarize_wal = on" in failure["hint"]


def test_truncation_between_the_query_and_the_start(stale: Recovery) -> None:
    """A backup that began too early is abandoned untouched, and the next one omits the segment."""
    primary, before = stale.primary, stale.checksum()
    redo = stale.read_base().redo
    segments = stale.truncated(redo)
    primary.execute("DELETE FROM t WHERE ctid > '(300,0)';")
    until(lambda: is_cut(primary), within_s=30, what="VACUUM to truncate t")
    begun = stale.begin(segments)
    more = newly_left_out(segments, stale.truncated(redo, begun.start))
    assert more
    primary.execute("CREATE TABLE u AS TABLE t; DELETE FROM u WHERE id > 100; VACUUM u; CHECKPOINT")
    assert newly_left_out(segments, stale.truncated(redo, begun.start)) == more, "after the start"
    begun.leave()
    assert stale.checksum() == before
    stale.run()
    assert_equal(primary, stale.target)


def is_cut(primary: Server) -> bool:
    primary.execute("VACUUM t;")
    return int(primary.sql("SELECT pg_relation_size('t') / 8192")[0][0]) < 310


def test_tablespace_that_has_no_place(stale: Recovery) -> None:
    primary, machine = stale.primary, stale.target.machine
    primary.create_tablespace("made", machine.home / "made")
    assert "has no place on the target" in fail(stale)["message"]
    [(oid,)] = primary.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'made'")
    stale.locations = {int(oid): str(machine.home / "taken")}
    catalog = primary.controldata()["Catalog version number"]
    taken = machine.home / "taken" / f"PG_{primary.installation.major}_{catalog}"
    machine.make_directory(taken / "5")
    assert "is not known to be the node's own" in fail(stale)["message"]
    machine.run(["rm", "-r", taken])
    stale.run()
    assert_equal(primary, stale.target)


def test_links_and_servers_in_the_way(stale: Recovery) -> None:
    machine = stale.target.machine
    machine.run(["ln", "-s", "/etc/passwd", stale.directory / "base" / "1" / "99999"])
    assert "is a symbolic link" in fail(stale)["message"]
    machine.run(["rm", stale.directory / "base" / "1" / "99999"])
    machine.run(["mv", stale.directory / "pg_xact", machine.home / "pg_xact"])
    machine.run(["ln", "-s", machine.home / "pg_xact", stale.directory / "pg_xact"])
    assert "is a symbolic link" in fail(stale)["message"]


def test_another_cluster(stale: Recovery, workspace: Workspace, product: Product) -> None:
    primary, machine = stale.primary, stale.target.machine
    machine.run(["mv", stale.directory, machine.home / "ours"])
    initdb = stale.target.installation.program("initdb")
    machine.run([initdb, "-D", stale.directory, "-k", "--no-sync"])
    assert fail(stale)["message"] == "the target belongs to another cluster"
    assert primary.is_running


def test_checksums_that_only_one_has(stale: Recovery) -> None:
    """A difference in checksums is refused, because pg_checksums changes all pages without WAL."""
    program = stale.primary.installation.program("pg_checksums")
    stale.primary.stop()
    stale.primary.machine.run([program, "--disable", "-D", stale.primary.data_directory])
    stale.primary.start()
    assert "only one of the target and the primary has data checksums" in fail(stale)["message"]


def test_passwords_are_used_and_not_shown(stale: Recovery) -> None:
    stale.primary.allow(f"host replication {REPLICATION_USER} all scram-sha-256")
    stale.password = "wrong"
    failure = fail(stale)
    assert failure["error"] == "Unreachable"
    assert "password authentication failed" in failure["detail"]
    assert "wrong" not in str(failure)
    stale.password = PASSWORDS[REPLICATION_USER]
    stale.begin(frozenset()).leave()


def pause(recovery: Recovery) -> Callable[[], BackupFailed]:
    """Apply half of a backup; return a function that resumes it and returns its failure."""
    segments = recovery.truncated(recovery.read_base().redo)
    begun = recovery.begin(segments, pause_at_bytes=1)
    begun.go_on_to_the_middle()

    def go_on() -> BackupFailed:
        with pytest.raises(BackupFailed) as caught:
            begun.resume()
        return caught.value

    return go_on


def test_primary_that_ends_the_backup_in_the_middle(stale: Recovery) -> None:
    primary = stale.primary
    primary.execute(FILLED.format(table="more", rows=90000))
    go_on = pause(stale)
    primary.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'walsender'"
    )
    record = go_on().record
    assert record["error"] == "Incomplete"
    assert record["target"] == "incomplete"
    assert record["message"] == "the connection to the primary was lost"
    assert "closed the connection" in record["detail"]
    stale.run()
    assert_equal(primary, stale.target)


def test_link_that_is_cut_in_the_middle(stale: Recovery) -> None:
    primary, host = stale.primary, stale.target.machine
    assert isinstance(host, Host)
    primary.execute(FILLED.format(table="more", rows=90000))
    go_on = pause(stale)
    host.cut()
    record = go_on().record
    assert record["target"] == "incomplete"
    assert record["message"] == f"the primary was silent for {SILENCE_S} s during the base backup"
    host.mend()
    stale.run()
    assert_equal(primary, stale.target)


def test_page_that_is_broken_on_the_primary(stale: Recovery) -> None:
    """The server sends a broken page, and reports it only at the end; the result is incomplete."""
    primary = stale.primary
    primary.execute(FILLED.format(table="made", rows=900))
    (path,) = primary.sql("SELECT pg_relation_filepath('made')")[0]
    primary.restart()  # The page must not be in a buffer.
    file = primary.machine.path(primary.data_directory / path)
    with file.open("r+b") as opened:
        opened.seek(5 * BLOCK_BYTES + 2000)
        opened.write(b"broken")
    with pytest.raises(BackupFailed) as caught:
        stale.back_up()
    record = caught.value.record
    assert record["error"] == "Incomplete"
    failed = "the base backup failed on the primary: checksum verification failure during base "
    assert record["message"] == f"{failed}backup"
    assert f'checksum verification failed in file "./{path}", block 5' in record["detail"]


def test_checksums_of_all_pages_that_a_server_wrote(two: list[Server]) -> None:
    primary, _ = two
    primary.execute(TABLE)
    primary.stop()
    data = primary.machine.path(primary.data_directory)
    checked = 0
    for file in [*data.glob("base/*/*"), *data.glob("global/*")]:
        relation = parse_path(str(file.relative_to(data)))
        if relation is not None:
            pages = file.read_bytes()
            for block in range(len(pages) // BLOCK_BYTES):
                page = pages[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]
                number = relation.number * SEGMENT_BLOCKS + block
                assert is_sound(page, number, LATER_LSN), f"block {number} of {file}"
                assert not is_sound(page, number + 1, LATER_LSN) or not any(page)
                checked += 1
    assert checked > 1000


def test_tablespaces_in_place(product: Product, workspace: Workspace, major: int) -> None:
    settings = {"allow_in_place_tablespaces": "on"}
    with servers_on_hosts(workspace, product, major, settings=settings) as (primary, target):
        primary.execute("CREATE TABLESPACE inside LOCATION ''")
        restart_cleanly(primary, target)
        target.stop()
        make_gap(primary, target)
        recovery = Recovery(primary, target, product)
        recovery.take_out()
        assert "was created in place" in fail(recovery)["message"]
