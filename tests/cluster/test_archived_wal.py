"""A standby whose WAL only an archive has comes back by WAL alone, with exactly the primary's data.

The archive is a directory that all nodes share. The table "dead" has rows that the primary
committed before it died and that its successor never had.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from pgpool_recovery.plan.from_archive import PARTS
from tests.check.ask import plan
from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_one_host, settings
from tests.harness.until import until
from tests.harness.wal import remove_wal_for
from tests.harness.workspace import Workspace

ARCHIVE = PurePosixPath("/var/lib/postgresql/archive")
KEEPING = (
    f"mkdir -p {ARCHIVE} && "
    f"if test -f {ARCHIVE}/%f; then cmp -s %p {ARCHIVE}/%f; else cp %p {ARCHIVE}/%f; fi"
)
"""A former standby also archives a file that its primary has archived before."""
COPYING = f"cp {ARCHIVE}/%f %p"
SEGMENTS = 3


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    archiving = {"archive_mode": "on", "archive_command": KEEPING}
    made_of = ClusterPlan(
        postgresql_major=15, standbys=2, settings={"wal_log_hints": "on", **archiving}
    )
    with on_one_host(workspace, product, made_of) as made:
        made.primary.execute("CREATE TABLE ledger (told text); CREATE TABLE dead (told text)")
        yield made


def write(primary: Server, table: str = "ledger", segments: int = SEGMENTS) -> None:
    """Fill some WAL segments."""
    for number in range(segments):
        rows = f"SELECT 'row {number} ' || g FROM generate_series(1, 1000) g"
        primary.execute(f"INSERT INTO {table} {rows}")
        primary.execute("SELECT pg_switch_wal()")


def archive(cluster: Cluster) -> Path:
    return cluster.node(0).machine.path(ARCHIVE)


def archived(cluster: Cluster) -> list[str]:
    return sorted(file.name for file in archive(cluster).iterdir())


def stop(cluster: Cluster, node: Server, restore_command: str = "") -> None:
    node.set(restore_command=restore_command)
    node.stop()
    cluster.pgpool.wait_for_node(node.node_id, "down")


def lose_wal(primary: Server, node: Server) -> None:
    """Have the WAL that a stopped node needs archived, and removed from the primary."""
    write(primary)
    for slot, is_active in primary.slots().items():
        if not is_active:
            primary.drop_slot(slot)
    remove_wal_for(primary, node)


def recover(cluster: Cluster, node: Server) -> str:
    """Recover a node; assert that it is equal to the primary, and return what was logged."""
    before = len(cluster.pgpool.log_text())
    cluster.recover(node.node_id)
    cluster.primary.execute("INSERT INTO ledger VALUES ('at the end')")
    assert_recovered(cluster, node.node_id)
    return cluster.pgpool.log_text()[before:]


def cut_off(standby: Server) -> None:
    """Let a standby receive nothing any more."""
    standby.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'")
    standby.reload()
    none = "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_wal_receiver)"
    until(lambda: standby.sql(none), within_s=30, what="the standby to receive nothing")


def test_fork_within_the_gap_and_files_of_the_dead_primary(cluster: Cluster) -> None:
    """The archive has WAL of the dead primary past the fork, under names of the old timeline.

    When the node's server asks for the new timeline's first file, the archive does not deliver it.
    """
    dying, node, successor = cluster.servers
    stop(cluster, node, COPYING)
    write(dying)
    received = f"SELECT 1 WHERE pg_last_wal_receive_lsn() >= '{dying.wal_position()}'"
    until(lambda: successor.sql(received), within_s=30, what="the successor to have all")
    cut_off(successor)
    write(dying, "dead")
    last = dying.sql("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")[0][0]
    until(lambda: last in archived(cluster), within_s=30, what="the dead rows to be archived")
    assert cluster.fail_over() is successor
    successor.execute("ALTER SYSTEM RESET primary_conninfo")
    lose_wal(successor, node)
    write(successor)
    files = [name for name in archived(cluster) if name.startswith("00000002") and len(name) == 24]
    fork, later = files[0], files[0].replace("00000002", "00000001", 1)
    assert later in archived(cluster), "the dead primary has archived the segment of the fork"
    node.set(restore_command=f"case %p in pg_wal/*) test %f != {fork};; esac && {COPYING}")
    log = recover(cluster, node)
    assert methods(log) == ["catch-up"], log
    assert "come from the archive, by the node's own restore_command" in log
    assert f"fetch {fork} from the archive" in log
    assert node.sql("SELECT count(*) FROM dead") == [("0",)]


def _catch_up(cluster: Cluster) -> dict[str, Any] | None:
    made = plan(cluster, 1)
    return made if made["method"] == "catch-up" else None


def segments(cluster: Cluster) -> tuple[str, int, int]:
    """Return the timeline and the first and last number of what node 1 gets from the archive.

    Its past is proven only when the primary's oldest file is in the archive, too.
    """
    made = until(lambda: _catch_up(cluster), within_s=60, what="a plan that relies on the archive")
    (note,) = [note for note in made["notes"] if "from the archive" in note]
    first, last = re.findall(r"[0-9A-F]{24}", note)
    return first[:8], int(first[8:], 16), int(last[8:], 16)


def _many(cluster: Cluster) -> tuple[str, int, int] | None:
    """Return the segments if they are many; how many a checkpoint removes depends on the load."""
    timeline, first, last = segments(cluster)
    if last - first >= PARTS:
        return timeline, first, last
    write(cluster.primary, segments=1)
    cluster.primary.execute("CHECKPOINT")
    return None


def test_hole_in_the_middle_of_much_wal_is_found_by_the_plan(cluster: Cluster) -> None:
    node, primary = cluster.node(1), cluster.primary
    stop(cluster, node, COPYING)
    for _ in range(PARTS + 4):
        primary.execute("SELECT pg_logical_emit_message(false, '', ''); SELECT pg_switch_wal()")
    lose_wal(primary, node)
    what = "much WAL to be in the archive only"
    timeline, first, last = until(lambda: _many(cluster), within_s=120, what=what)
    hole = f"{timeline}{first + (last - first) // 2:016X}"
    (archive(cluster) / hole).unlink()
    log = recover(cluster, node)
    assert methods(log) == ["delta"], log
    assert f"restore_command of node 1 did not bring {hole} (exit status 1 (" in log


def test_hole_that_shows_at_the_start_leads_to_the_next_method(cluster: Cluster) -> None:
    node = cluster.node(1)
    stop(cluster, node, COPYING)
    lose_wal(cluster.primary, node)
    timeline, first, _ = segments(cluster)
    (archive(cluster) / f"{timeline}{first + 1:016X}").unlink()
    with settings(cluster, "[timeout]\nstreaming_s = 5\n"):
        log = recover(cluster, node)
    assert methods(log) == ["catch-up", "delta"], log
    assert "catch-up failed; looking for another method" in log


def test_command_of_the_settings_becomes_the_nodes(cluster: Cluster) -> None:
    """The archive is compressed and slow: each call takes more than archive_s.

    It proves that the node was on timeline 2, as no WAL is left that both the node and the primary
    have.
    """
    node = cluster.node(1)
    stop(cluster, node, "false")
    lose_wal(cluster.primary, node)
    command = f"sleep 1.1; cat {ARCHIVE}/%f | gzip | gunzip > %p && test -s %p"
    text = f"[archive]\nrestore_command = '{command}'\n[timeout]\narchive_s = 1\n"
    with settings(cluster, text):
        log = recover(cluster, node)
    assert methods(log) == ["catch-up"], log
    assert "by restore_command of the settings" in log
    assert node.sql("SHOW restore_command") == [(command,)]
    node.set(restore_command="")
