"""The cheapest safe method is chosen and reported with reasons, and the contents end up equal."""

import re
from collections.abc import Iterator

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.contents import wait_for_replay
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, left_over, on_hosts, settings
from tests.harness.until import until
from tests.harness.wal import has_wal_for, remove_wal, remove_wal_for
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql

VERIFY_PAGES = '[policy]\nverify = "pages"\n'
HASHES = {"auto": "XXH3", "sha256": "SHA-256"}
"""By which hash a delta compares, with this setting; each host of the tests has libxxhash."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((15, "plain"), id="15-plain"),
        pytest.param((16, "plain"), marks=in_whole_matrix(16), id="16-plain"),
        pytest.param((17, "debian"), marks=in_whole_matrix(17), id="17-debian"),
        pytest.param((18, "plain"), marks=in_whole_matrix(18), id="18-plain"),
        pytest.param((19, "debian"), marks=needs_postgresql(19), id="19-debian"),
    ],
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    major, layout = request.param
    plan = ClusterPlan(
        layout=layout,
        postgresql_major=major,
        authentication="scram-sha-256",
        settings={"wal_log_hints": "on"} | ({"summarize_wal": "on"} if major >= 17 else {}),
    )
    with on_hosts(workspace, product, plan) as made:
        made.primary.execute(
            "CREATE TABLE filler AS SELECT g, repeat('x', 500) t FROM generate_series(1, 60000) g"
        )
        yield made


def recover(cluster: Cluster, node_id: int) -> str:
    """Recover a node under load; return what the recovery has written to pgpool.log."""
    before = len(cluster.pgpool.log_text())
    with cluster.load(name=f"load_{before}", through_pgpool=False) as load:
        cluster.recover(node_id)
        load.wait_for_commits(20)
    assert_recovered(cluster, node_id, load)
    return cluster.pgpool.log_text()[before:]


def methods(log: str) -> list[str]:
    return re.findall(r"NOTICE:  node \d: plan: ([\w-]+):", log)


def test_standby_that_was_stopped_catches_up(cluster: Cluster) -> None:
    node = cluster.node(1)
    node.set(work_mem="7MB")
    node.stop()
    log = recover(cluster, 1)
    assert methods(log) == ["catch-up"]
    assert "not attach: the server of node 1 is not running" in log
    assert node.sql("show work_mem") == [("7MB",)]


def test_standby_that_was_killed_catches_up(cluster: Cluster) -> None:
    cluster.node(1).kill()
    assert methods(recover(cluster, 1)) == ["catch-up"]


def test_standby_that_was_killed_and_has_more_than_it_says(cluster: Cluster) -> None:
    """It received WAL beyond its minimum recovery end, which the primary has since removed."""
    node, primary = cluster.node(1), cluster.node(0)
    node.set(bgwriter_lru_maxpages="0")
    primary.set(wal_keep_size="0")
    for _ in range(3):
        primary.execute("INSERT INTO filler VALUES (0, 'y')")
        primary.execute("SELECT pg_switch_wal()")
    flushed = f"SELECT flush_lsn >= '{primary.wal_position()}' FROM pg_stat_replication"
    until(lambda: primary.sql(flushed) == [("t",)], within_s=30, what="the standby to have it all")

    def gone() -> bool:
        primary.execute("CHECKPOINT")
        return not has_wal_for(primary, node)

    until(
        gone,
        within_s=60,
        what="the primary to remove the WAL after the position that the standby reports",
    )
    node.kill()
    assert methods(recover(cluster, 1)) == ["catch-up"]


def test_standby_that_streams_is_attached(cluster: Cluster) -> None:
    before = len(cluster.pgpool.log_text())
    cluster.pgpool.detach_node(1)
    cluster.recover(1)
    assert methods(cluster.pgpool.log_text()[before:]) == ["attach"]
    assert left_over(cluster.node(1)) == []


@pytest.mark.parametrize("chosen", HASHES)
def test_promise_12_rival_on_the_same_timeline_is_compared_block_by_block(
    cluster: Cluster, chosen: str
) -> None:
    """It was started without its standby.signal, and wrote rows that the primary never had."""
    node = cluster.node(1)
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    node.machine.path(node.data_directory / "standby.signal").unlink()
    node.start()
    node.execute("CREATE TABLE only_of_rival AS SELECT 1")
    node.stop()
    # The primary gets past the position at which the rival ended, so that one seems to be behind.
    cluster.node(0).execute(
        f"CREATE TABLE not_of_rival_{chosen} AS SELECT generate_series(1, 20000)"
    )
    with settings(cluster, f'[policy]\nblock_hash = "{chosen}"\n'):
        log = recover(cluster, 1)
    assert methods(log) == ["delta"], log
    assert f" compared by {HASHES[chosen]}, " in log
    with pytest.raises(CommandError, match="does not exist"):
        node.sql("SELECT * FROM only_of_rival")


def lose_wal(primary: Server, node: Server) -> None:
    """Make the primary recycle all WAL that a stopped node would need."""
    for slot in primary.slots():
        primary.drop_slot(slot)
    remove_wal_for(primary, node)


def test_standby_whose_wal_is_gone(cluster: Cluster) -> None:
    node, primary = cluster.node(1), cluster.node(0)
    node.stop()
    cluster.pgpool.wait_for_node(1, "down")
    primary.execute("UPDATE filler SET t = 'changed' WHERE g % 100 = 0")
    lose_wal(primary, node)
    log = recover(cluster, 1)
    assert methods(log) == ["incremental" if primary.installation.major >= 17 else "delta"], log
    assert "not catch-up: the primary no longer has the WAL that node 1 needs" in log
    assert left_over(node) == []


def test_ex_primary_that_crashed_is_rewound(cluster: Cluster) -> None:
    """The last transactions before the crash never reached the standby."""
    old = cluster.primary
    old.set(work_mem="9MB")
    other = cluster.node(1 - old.node_id)
    cluster.host(other.node_id).cut(cluster.host(old.node_id))
    old.execute("CREATE TABLE only_here AS SELECT generate_series(1, 1000)")
    new = cluster.fail_over()
    cluster.host(other.node_id).mend(cluster.host(old.node_id))
    new.execute("CREATE TABLE after_it AS SELECT generate_series(1, 1000)")
    with settings(cluster, VERIFY_PAGES):
        log = recover(cluster, old.node_id)
    assert methods(log) == ["rewind"], log
    assert "Its server was not shut down cleanly" in log or "not catch-up" in log
    has_checksums = new.sql("SHOW data_checksums") == [("on",)]
    said = r"checksums of \d+ pages .* are correct" if has_checksums else "no data checksums"
    assert re.search(said, log)
    assert old.sql("show work_mem") == [("9MB",)]
    with pytest.raises(CommandError, match="does not exist"):
        old.sql("SELECT * FROM only_here")


def test_ex_primary_that_diverged_and_whose_wal_is_gone(cluster: Cluster) -> None:
    old = cluster.primary
    other = cluster.node(1 - old.node_id)
    cluster.host(other.node_id).cut(cluster.host(old.node_id))
    old.execute("CREATE TABLE only_there AS SELECT generate_series(1, 1000)")
    new = cluster.fail_over()
    cluster.host(other.node_id).mend(cluster.host(old.node_id))
    fork = new.wal_position()  # Possibly a little later; the node may have what comes before.
    new.execute("UPDATE filler SET t = 'again' WHERE g % 100 = 1")
    remove_wal(new, fork)
    log = recover(cluster, old.node_id)
    if new.installation.major < 17:
        assert methods(log) == ["delta"], log
        gone = (
            f"the primary no longer has the WAL that node {old.node_id} would need after a rewind"
        )
        assert gone in log
    else:
        assert methods(log) == ["rewind"], log
        assert "then an incremental base backup" in log
    with pytest.raises(CommandError, match="does not exist"):
        old.sql("SELECT * FROM only_there")


def test_ex_primary_whose_database_the_new_primary_has_moved(cluster: Cluster) -> None:
    """Replay after a rewind would copy it again, from where it no longer is."""
    old = cluster.primary
    other = cluster.node(1 - old.node_id)
    location = old.machine.home / "ts_moved"
    old.create_tablespace("ts_moved", location, also_on=[other])
    old.execute("CREATE DATABASE moved")
    old.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) g", database="moved")
    old.execute("CHECKPOINT")
    wait_for_replay(other, old.wal_position())
    cluster.host(other.node_id).cut(cluster.host(old.node_id))
    old.execute("CREATE TABLE only_of_old AS SELECT 1")
    new = cluster.fail_over()
    cluster.host(other.node_id).mend(cluster.host(old.node_id))
    new.execute("ALTER DATABASE moved SET TABLESPACE ts_moved")
    log = recover(cluster, old.node_id)
    assert methods(log)[0] == "rewind", log
    assert len(methods(log)) == 2, log
    assert "replay after pg_rewind would empty a database" in log
    assert old.sql("SELECT count(*) FROM t", database="moved") == [("1000",)]


def test_tablespace_that_is_new_when_only_wal_is_needed(cluster: Cluster) -> None:
    """Its directory is created on the node; otherwise replay would end the server."""
    primary = cluster.primary
    node = cluster.standby
    node.stop()
    location = primary.machine.home / "ts_new"
    primary.create_tablespace("ts_new", location)
    primary.execute("CREATE TABLE in_new TABLESPACE ts_new AS SELECT 1")
    assert methods(recover(cluster, node.node_id)) == ["catch-up"]
    assert node.machine.path(location).is_dir()


def test_node_whose_data_is_damaged_gets_more_than_wal(cluster: Cluster) -> None:
    """Replay ends its server each time, which a method that keeps its data would not fix."""
    primary = cluster.primary
    node = cluster.standby
    primary.set(full_page_writes="off")  # Replay then needs the page that is missing.
    primary.execute("CHECKPOINT")
    node.stop()
    cluster.pgpool.wait_for_node(node.node_id, "down")
    ((path,),) = primary.sql("SELECT pg_relation_filepath('filler')")
    node.machine.run(["truncate", "--size", "0", str(node.data_directory / path)])
    primary.execute("UPDATE filler SET t = 'x' WHERE g < 100")
    primary.set(full_page_writes="on")
    before = len(cluster.pgpool.log_text())
    for _ in range(2):
        assert "ERROR" in cluster.pgpool.recovery_node(node.node_id).output
    said = cluster.pgpool.log_text()[before:]
    assert methods(said) == ["catch-up", "catch-up"]
    assert "WAL contains references to invalid pages" in said
    log = recover(cluster, node.node_id)
    assert methods(log) == ["delta"]
    assert "has failed 2 times after its last recoveries" in log
    assert left_over(node) == []
