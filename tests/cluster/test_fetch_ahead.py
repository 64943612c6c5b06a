"""WAL from a slow archive is fetched before the server asks for it, and nothing depends on that.

Each call of the archive's command is recorded with its beginning and its end, in the order in which
they happened. The server's own calls are those whose file it names pg_wal/RECOVERYXLOG.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from tests.check.ask import plan
from tests.cluster.test_ladder import methods
from tests.faults.test_delta import agents, kill
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import assert_recovered, on_one_host, settings, streams, wait_for_no_agent
from tests.harness.until import until
from tests.harness.wal import remove_wal_for
from tests.harness.workspace import Workspace

HOME = PurePosixPath("/var/lib/postgresql")
ARCHIVE, EVENTS, GATE = HOME / "archive", HOME / "events", HOME / "gate"
KEEPING = f"mkdir -p {ARCHIVE} && test ! -f {ARCHIVE}/%f && cp %p {ARCHIVE}/%f"
SLOW = (
    f"echo begin %f %p >> {EVENTS}; sleep 0.5; while test -e {GATE}.%f; do sleep 0.1; done; "
    f'cp {ARCHIVE}/%f %p; s=$?; echo end %f %p >> {EVENTS}; exit $s # it\'s 100%% "slow"'
)
TIGHT = (
    f"echo begin %f %p >> {EVENTS}; flock -n -E 255 {GATE}.lock sh -c "
    f"'sleep 0.3; cp {ARCHIVE}/%f %p'; s=$?; echo $s %f %p >> {EVENTS}; exit $s"
)
"""As over ssh, to a host that takes only one login at a time; status 255 ends a server."""
SEGMENTS = 12
AT_ONCE = 4
OURS = "pgpool_recovery.ahead"
BY_SERVER = "pg_wal/RECOVERY"
SPOOL = PurePosixPath("pg_wal", OURS)


@pytest.fixture(scope="module")
def made(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    archiving = {"archive_mode": "on", "archive_command": KEEPING}
    of = ClusterPlan(postgresql_major=15, settings={"wal_log_hints": "on", **archiving})
    with on_one_host(workspace, product, of) as cluster:
        cluster.primary.execute("CREATE TABLE ledger (told text)")
        yield cluster


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    """Return a cluster whose node 1 is down, and whose WAL only the archive has."""
    primary, node = made.servers
    node.set(restore_command=SLOW)
    node.stop()
    made.pgpool.wait_for_node(1, "down")
    for number in range(SEGMENTS):
        rows = f"SELECT 'row {number} ' || g FROM generate_series(1, 1000) g"
        primary.execute(f"INSERT INTO ledger {rows}; SELECT pg_switch_wal()")
    for slot, is_active in primary.slots().items():
        if not is_active:
            primary.drop_slot(slot)
    remove_wal_for(primary, node)
    until(lambda: plan(made, 1)["method"] == "catch-up", within_s=60, what="the archive")
    node.machine.run(["rm", "-f", EVENTS])
    return made


@dataclass(frozen=True)
class Call:
    """A call of the archive's command for a file."""

    event: str
    file: str
    is_ours: bool


def calls(node: Server) -> list[Call]:
    path = node.machine.path(EVENTS)
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [
        Call(event, file, is_ours=OURS in place)
        for event, file, place in lines
        if place.startswith("pg_wal/")
    ]


def most_at_once(found: list[Call]) -> int:
    """Return how many calls for WAL files were under way at the same time, at most."""
    running, most = 0, 0
    for one in found:
        running += 1 if one.event == "begin" else -1
        most = max(most, running)
    return most


def missing(cluster: Cluster) -> list[str]:
    """Return the files that the plan gets from the archive: all between the first and the last."""
    (note,) = [note for note in plan(cluster, 1)["notes"] if "from the archive" in note]
    first, _, rest = note.partition("(")[2].partition(" to ")
    numbers = range(int(first[8:], 16), int(rest[8:24], 16) + 1)
    return [f"{first[:8]}{number:016X}" for number in numbers]


def recover(cluster: Cluster) -> str:
    before = len(cluster.pgpool.log_text())
    cluster.recover(1)
    cluster.primary.execute("INSERT INTO ledger VALUES ('at the end')")
    assert_recovered(cluster, 1)
    return cluster.pgpool.log_text()[before:]


def assert_as_before(node: Server) -> None:
    """Assert that the node has its own command again, in its files and in its processes."""
    assert node.sql("SHOW restore_command") == [(SLOW,)]
    auto = node.machine.path(node.data_directory / "postgresql.auto.conf").read_text()
    assert "restore_command" not in auto
    assert not node.machine.path(node.data_directory / SPOOL).exists()


def test_several_calls_at_the_same_time_and_none_twice(cluster: Cluster) -> None:
    node, wanted = cluster.node(1), missing(cluster)
    assert len(wanted) >= SEGMENTS
    node.machine.run(["rm", "-f", EVENTS])
    log = recover(cluster)
    assert methods(log) == ["catch-up"], log
    assert f"{AT_ONCE} of them at a time" in log
    assert f"{len(wanted)} WAL files were fetched ahead" in log
    found = [one for one in calls(node) if "history" not in one.file]
    ours = [one for one in found if one.is_ours]
    assert sorted(one.file for one in ours if one.event == "begin") == wanted
    assert most_at_once(ours) == AT_ONCE
    assert found == ours, "the server itself asks for no WAL, as it streams what comes next"
    assert calls(node)[0].file.endswith(".history"), "nothing is fetched before it replays"
    assert_as_before(node)


def test_archive_that_refuses_more_than_one_call(cluster: Cluster) -> None:
    """It refuses us, never the server, which ends if it is refused."""
    node, wanted = cluster.node(1), missing(cluster)
    node.set(restore_command=TIGHT)
    node.machine.run(["rm", "-f", EVENTS])
    log = recover(cluster)
    assert methods(log) == ["catch-up"], log
    called = node.machine.path(EVENTS).read_text().splitlines()
    assert "one file at a time" in log
    assert f"{len(wanted)} WAL files were fetched ahead" in log, (log, called)
    refused = [line for line in called if line.startswith("255")]
    assert any(OURS in line for line in refused)
    assert not [line for line in refused if BY_SERVER in line], "others are trials of the plan"
    assert any(f"{BY_SERVER}HISTORY" in line for line in called)


def test_killed_agent(cluster: Cluster) -> None:
    """The server goes on by itself; the next recovery sets its own command again."""
    node, wanted = cluster.node(1), missing(cluster)
    gate = f"{GATE}.{wanted[6]}"
    node.machine.run(["touch", gate])
    ending = threading.Thread(target=lambda: cluster.pgpool.recovery_node(1))
    ending.start()
    try:
        begun = Call("begin", wanted[6], is_ours=True)
        until(lambda: begun in calls(node), within_s=60, what="the call")
        until(lambda: node.is_running, within_s=30, what="the server to be started")
        (agent,) = agents(node)
        kill(node, agent)
    finally:
        node.machine.run(["rm", "-f", gate])
        ending.join(120)
    until(lambda: streams(cluster.primary, 1), within_s=60, what="the node to stream")
    assert Call("end", wanted[6], is_ours=False) in calls(node)
    assert OURS in node.sql("SHOW restore_command")[0][0]
    wait_for_no_agent(node)
    log = recover(cluster)
    assert "restore_command is again what it was" in log
    assert_as_before(node)


def test_hole_in_the_middle_leads_to_the_next_method(cluster: Cluster) -> None:
    node, wanted = cluster.node(1), missing(cluster)
    hole: Path = node.machine.path(ARCHIVE / wanted[6])
    hole.unlink()
    with settings(cluster, "[timeout]\nstreaming_s = 5\n"):
        log = recover(cluster)
    assert methods(log) == ["catch-up", "delta"], log
    assert "no more WAL is fetched ahead" in log
    assert_as_before(node)


def test_it_can_be_turned_off(cluster: Cluster) -> None:
    node = cluster.node(1)
    with settings(cluster, "[archive]\nfetch_ahead = false\n"):
        log = recover(cluster)
    assert "ahead" not in log
    found = calls(node)
    assert not any(one.is_ours for one in found)
    assert most_at_once(found) == 1
    assert_as_before(node)
