"""A node that has WAL past the fork comes back without it, with exactly the primary's data.

The table "dead" has rows that the primary committed before it died and that its successor never
had. The table "ledger" has what the successor has. PostgreSQL by itself would show the dead rows on
the node, without an error.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import pytest

from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan, RecoveryError
from tests.harness.pgpool import PcpError
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_hosts
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql

MANY, FEW = 60_000, 3


PG18 = needs_postgresql(18)
"""The majors treat timelines alike, so each situation has one; 18 has those that take longest."""


@pytest.fixture(scope="module")
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    """Yield three nodes whose background processes do not advance the minimum recovery end."""
    plan = ClusterPlan(
        postgresql_major=request.param,
        standbys=2,
        settings={
            "wal_log_hints": "on",
            "bgwriter_lru_maxpages": "0",
            "checkpoint_timeout": "1h",
            "autovacuum": "off",
        },
    )
    with on_hosts(workspace, product, plan) as made:
        made.primary.execute(
            "CREATE TABLE ledger (told text); CREATE TABLE dead (told text); CHECKPOINT"
        )
        yield made


@dataclass(frozen=True)
class Roles:
    """The node that dies, the one that is promoted, and the one that has to come back."""

    dying: Server
    next: Server
    node: Server


@pytest.fixture
def roles(cluster: Cluster) -> Iterator[Roles]:
    """Yield the roles while all three nodes run; bring back the one that died afterwards."""
    dying = cluster.primary
    successor, node = (one for one in cluster.servers if one is not dying)
    yield Roles(dying, successor, node)
    node.set(restore_command="")
    cluster.recover(dying.node_id)
    assert_recovered(cluster, dying.node_id)


def write(primary: Server, table: str, rows: int) -> None:
    primary.execute(f"INSERT INTO {table} SELECT 'row ' || g FROM generate_series(1, {rows}) g")


def wait_until_received(node: Server, primary: Server) -> None:
    end = f"SELECT pg_last_wal_receive_lsn() >= '{primary.wal_position()}'"
    until(lambda: node.sql(end) == [("t",)], within_s=30, what="all of it to be received")


def leave_behind(cluster: Cluster, roles: Roles, rows: int, *, is_paused: bool) -> None:
    """Let the node receive WAL that the successor does not, and end before that is promoted."""
    node, dying = roles.node, roles.dying
    wait_until_received(node, dying)
    wait_until_received(roles.next, dying)
    node.restart()  # Its minimum recovery end is then before all WAL that follows.
    cluster.host(roles.next.node_id).cut(cluster.host(dying.node_id))
    if is_paused:
        node.execute("SELECT pg_wal_replay_pause()")
    write(dying, "dead", rows)
    wait_until_received(node, dying)
    if not is_paused:
        query = f"SELECT pg_last_wal_replay_lsn() >= '{dying.wal_position()}'"
        until(lambda: node.sql(query) == [("t",)], within_s=30, what="all of it to be replayed")
    node.stop() if is_paused else node.kill()
    fail_over(cluster, roles)


def fail_over(cluster: Cluster, roles: Roles) -> None:
    info = cluster.pgpool.node_info
    until(
        lambda: not info(roles.node.node_id).is_attached,
        within_s=60,
        what="Pgpool-II to notice that the node is down",
        tolerating=(PcpError,),
    )
    assert cluster.fail_over() is roles.next
    cluster.host(roles.next.node_id).mend(cluster.host(roles.dying.node_id))
    write(roles.next, "ledger", 2)


def archive_of(node: Server) -> Path:
    """Make the node's restore_command read a directory, and return that directory."""
    archive = node.machine.home / "archive"
    node.machine.make_directory(archive)
    node.set(restore_command=f"cp {archive}/%f %p")
    return node.machine.path(archive)


def give(source: Server, target: Path, pattern: str) -> list[str]:
    """Copy files from a server's pg_wal, and return their names."""
    files = sorted(source.machine.path(source.data_directory / "pg_wal").glob(pattern))
    for file in files:
        shutil.copyfile(file, target / file.name)
        (target / file.name).chmod(0o644)
    return [file.name for file in files]


def recover(cluster: Cluster, roles: Roles) -> str:
    """Recover the node, and assert that it has the whole ledger and none of the dead rows."""
    before = len(cluster.pgpool.log_text())
    node = roles.node
    cluster.recover(node.node_id)
    write(roles.next, "ledger", 1)
    assert_recovered(cluster, node.node_id)
    held = "SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM dead)"
    assert node.sql(held) == roles.next.sql(held)
    return cluster.pgpool.log_text()[before:]


@pytest.mark.parametrize(
    ("cluster", "rows", "history", "end"),
    [
        pytest.param(15, FEW, "pg_wal", "killed", id="15-few-history-in-pg_wal-killed"),
        pytest.param(15, FEW, None, "paused", id="15-few-paused"),
        pytest.param(15, MANY, "archive", "paused", id="15-many-history-in-archive-paused"),
        pytest.param(18, MANY, "archive", "killed", marks=PG18, id="18-many-archive-killed"),
    ],
    indirect=["cluster"],
)
def test_promise_12_wal_past_the_fork_is_never_replayed(
    cluster: Cluster, roles: Roles, rows: int, history: str | None, end: str
) -> None:
    node = roles.node
    leave_behind(cluster, roles, rows, is_paused=end == "paused")
    if history == "archive":
        assert give(roles.next, archive_of(node), "*.history")
    elif history == "pg_wal":
        pg_wal = node.machine.path(node.data_directory / "pg_wal")
        for name in give(roles.next, pg_wal, "*.history"):
            file = node.data_directory / "pg_wal" / name
            node.machine.run(["chown", "postgres", file], user="root")
    log = recover(cluster, roles)
    assert methods(log) == ["catch-up"], log


RIVAL_PORT = 6432


def become_standby_of_a_rival(node: Server) -> list[str | PurePath]:
    """Promote a copy of a standby where its primary ended, and let the standby follow the copy.

    Return the command that stops the copy.
    """
    data, rival = node.data_directory, node.machine.home / "rival"
    node.stop()
    pg_ctl = node.installation.program("pg_ctl")
    settings = f"-c primary_conninfo= -c restore_command= -c data_directory={rival}"
    node.machine.run(["cp", "--archive", data, rival])
    options: list[str | PurePath] = ["-l", rival / "rival.log", "-o", f"-p {RIVAL_PORT} {settings}"]
    node.machine.run([pg_ctl, "-D", rival, "-w", "start", *options])
    node.machine.run([pg_ctl, "-D", rival, "-w", "promote"])
    node.start()
    source = node.conninfo(REPLICATION_USER).replace(f"port={node.port}", f"port={RIVAL_PORT}")
    node.execute(f"ALTER SYSTEM SET primary_conninfo = '{source}'")
    node.execute("ALTER SYSTEM SET primary_slot_name = ''")
    node.reload()
    psql = [node.installation.program("psql"), "-X", "-p", str(RIVAL_PORT), "-d", "postgres"]
    written = [*psql, "-h", str(node.machine.socket_directory), "-U", "postgres", "-c"]
    node.machine.run([*written, "CHECKPOINT"])
    node.machine.run([*written, f"INSERT INTO dead SELECT 'r' FROM generate_series(1, {FEW})"])
    held = "SELECT count(*) FROM dead WHERE told = 'r'"
    until(lambda: node.sql(held) == [(str(FEW),)], within_s=30, what="the rival's rows")
    return [pg_ctl, "-D", rival, "-m", "immediate", "stop"]


def lead_by_hand(node: Server, primary: Server) -> None:
    """Make a standby request WAL that does not fit from a primary, and write it over its own."""
    source = primary.conninfo(REPLICATION_USER)
    node.execute(f"ALTER SYSTEM SET primary_conninfo = '{source}'")
    node.reload()
    ((name, offset),) = primary.sql(
        f"SELECT file_name, file_offset FROM pg_walfile_name_offset('{node.wal_position()}')"
    )
    files = [one.machine.path(one.data_directory / "pg_wal" / name) for one in (node, primary)]
    until(
        lambda: len({file.read_bytes()[: int(offset)] for file in files}) == 1,
        within_s=30,
        what=f"{name} to be the primary's",
    )


@pytest.mark.parametrize(
    ("cluster", "end", "method"),
    [
        pytest.param(15, "killed", "catch-up", id="15-killed"),
        pytest.param(18, "stopped", "delta", marks=PG18, id="18-stopped"),
    ],
    indirect=["cluster"],
)
def test_promise_12_rival_of_the_same_number_and_begin(
    cluster: Cluster, roles: Roles, end: str, method: str
) -> None:
    """Two standbys were promoted where the primary died; the node has followed the wrong one.

    If the node was killed, its pages have none of the rival's changes yet, so only its WAL has to
    go. In the other case it was pointed at the primary by hand, so its pg_wal has the primary's WAL
    in the place of what it had replayed.
    """
    node, dying = roles.node, roles.dying
    wait_until_received(node, dying)
    wait_until_received(roles.next, dying)
    assert cluster.fail_over() is roles.next
    stop = become_standby_of_a_rival(node)
    try:
        write(roles.next, "ledger", MANY)
        history = "pg_read_file('pg_wal/' || max(name)) FROM pg_ls_waldir() WHERE name ~ 'history$'"
        assert node.sql(f"SELECT {history}") == roles.next.sql(f"SELECT {history}")
        if cluster.pgpool.node_info(node.node_id).is_attached:
            cluster.pgpool.detach_node(node.node_id)
        before = len(cluster.pgpool.log_text())
        with pytest.raises(RecoveryError, match="is running"):
            cluster.recover(node.node_id)
        said = cluster.pgpool.log_text()[before:]
        assert f"not repoint: the WAL of node {node.node_id} is not the primary's" in said
    finally:
        node.machine.run(stop)
    if end == "killed":
        node.kill()
    else:
        lead_by_hand(node, roles.next)
        node.stop()
    log = recover(cluster, roles)
    assert methods(log) == [method], log
    assert end == "killed" or "is not what the primary has written there" in log


@pytest.mark.parametrize(
    "cluster",
    [pytest.param(15, id="15"), pytest.param(18, marks=in_whole_matrix(18), id="18")],
    indirect=True,
)
def test_promise_12_archive_that_holds_wal_past_the_fork(cluster: Cluster, roles: Roles) -> None:
    """The node is behind the fork, and its archive has the dead primary's segment with the fork."""
    node, dying = roles.node, roles.dying
    wait_until_received(node, dying)
    archive = archive_of(node)
    node.stop()
    write(dying, "ledger", 5)
    wait_until_received(roles.next, dying)
    cluster.host(roles.next.node_id).cut(cluster.host(dying.node_id))
    write(dying, "dead", MANY)
    fail_over(cluster, roles)
    assert give(dying, archive, "0" * 7 + "?" * 17)
    log = recover(cluster, roles)
    assert methods(log) == ["catch-up"], log


@pytest.mark.parametrize("cluster", [pytest.param(15, id="15")], indirect=True)
def test_promise_12_number_that_the_primary_has_passed_over(cluster: Cluster, roles: Roles) -> None:
    """The successor's archive has a history file of the next number, so the successor skips it."""
    node, dying = roles.node, roles.dying
    wait_until_received(node, dying)
    node.stop()
    ((name,),) = dying.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    timeline, position = int(name[:8], 16), dying.wal_position()
    ((text,),) = dying.sql(f"SELECT pg_read_file('pg_wal/{timeline:08X}.history', 0, 9999, true)")
    rival = archive_of(roles.next) / f"{timeline + 1:08X}.history"
    rival.write_text(f"{text.rstrip()}\n{timeline}\t{position}\tno recovery target specified\n")
    rival.chmod(0o644)
    write(dying, "ledger", 5)
    wait_until_received(roles.next, dying)
    try:
        fail_over(cluster, roles)
        ((name,),) = roles.next.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        assert int(name[:8], 16) == timeline + 2
        assert methods(recover(cluster, roles)) == ["catch-up"]
    finally:
        roles.next.set(restore_command="")
        rival.unlink()


@pytest.mark.parametrize(
    "cluster",
    [pytest.param(15, id="15"), pytest.param(18, marks=in_whole_matrix(18), id="18")],
    indirect=True,
)
def test_delayed_standby_waits_at_the_fork(cluster: Cluster, roles: Roles) -> None:
    """It requests the new timeline only when it has replayed up to the fork, an hour later."""
    node = roles.node
    node.stop()
    node.settings["recovery_min_apply_delay"] = "1h"
    node.configure()
    roles.next.set(wal_keep_size="64MB")  # It keeps the WAL from before the fork on.
    try:
        node.start()
        write(roles.dying, "ledger", 5)
        roles.dying.execute("SELECT pg_switch_wal()")
        wait_until_received(roles.next, roles.dying)
        cluster.host(roles.next.node_id).cut(cluster.host(roles.dying.node_id))
        write(roles.dying, "dead", FEW)
        wait_until_received(node, roles.dying)
        node.kill()
        fail_over(cluster, roles)
        before = len(cluster.pgpool.log_text())
        cluster.recover(node.node_id)
        log = cluster.pgpool.log_text()[before:]
        assert methods(log) == ["catch-up"], log
        assert "replays with a delay of 3600 s (recovery_min_apply_delay)" in log
    finally:
        del node.settings["recovery_min_apply_delay"]
        node.configure()
        if node.is_running:
            node.reload()
        roles.next.set(wal_keep_size="0")
    write(roles.next, "ledger", 1)
    assert_recovered(cluster, node.node_id)
