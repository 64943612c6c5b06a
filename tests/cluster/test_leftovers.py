"""Leftover settings lead neither to a second primary nor to a standby that never replays."""

import re
from collections.abc import Iterator

import pytest

from tests.check.ask import check, plan
from tests.cluster.test_ladder import methods
from tests.harness.cluster import Cluster, ClusterPlan, RecoveryError
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, assert_recovered, on_hosts, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

LONG_AGO = "2026-11-01 00:00:00+00"
TARGET = f"recovery_target_time = '{LONG_AGO}'"
SINCE_17 = 17
LEFT_BY_A_RESTORE = (
    f"ALTER SYSTEM SET recovery_target_time = '{LONG_AGO}';"
    "ALTER SYSTEM SET recovery_target_action = 'promote'"
)
"""What pgbackrest restore --type=time --target-action=promote leaves for good."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((15, "plain"), id="15-plain"),
        pytest.param((18, "debian"), marks=needs_postgresql(18), id="18-debian"),
    ],
)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    major, layout = request.param
    plan = ClusterPlan(postgresql_major=major, layout=layout, settings={"wal_log_hints": "on"})
    with on_hosts(workspace, product, plan) as made:
        yield made


def recover(cluster: Cluster, node: Server) -> str:
    """Recover a node, assert that it is a standby that replays, and return what pgpool.log got."""
    before = len(cluster.pgpool.log_text())
    cluster.recover(node.node_id)
    cluster.pgpool.wait_until_settled()
    assert_is_a_standby(cluster.primary, node)
    assert_recovered(cluster, node.node_id)
    return cluster.pgpool.log_text()[before:]


def refused(cluster: Cluster, node: Server) -> str:
    """Assert that a recovery is refused; return what it has written to pgpool.log."""
    before = len(cluster.pgpool.log_text())
    with pytest.raises(RecoveryError):
        cluster.recover(node.node_id)
    return cluster.pgpool.log_text()[before:]


def assert_is_a_standby(primary: Server, node: Server) -> None:
    """Assert that it replays what the primary writes now, its commits included."""
    primary.execute("SELECT pg_create_restore_point('later'); SELECT txid_current()")
    position = primary.wal_position()
    replayed = f"SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= '{position}'"
    until(lambda: node.sql(replayed) == [("t",)], within_s=30, what="the commit to be replayed")
    assert node.is_in_recovery


def own_file(server: Server, text: str) -> None:
    """Give a server a file of settings that its configuration includes."""
    file = server.layout.configuration_directory / "conf.d" / "60-restore.conf"
    server.machine.write_file(file, text)


def test_promise_10_targets_of_the_primary_do_not_come_with_a_copy(cluster: Cluster) -> None:
    primary, node = cluster.primary, cluster.standby
    primary.execute(LEFT_BY_A_RESTORE)
    primary.restart()
    cluster.pgpool.wait_until_settled()
    node.lose()
    primary.drop_slot(node.slot)  # Its name was in the configuration that is lost.
    log = recover(cluster, node)
    assert methods(log) == ["basebackup"]
    assert f"note: {TARGET} from {primary.data_directory}/postgresql.auto.conf:" in log
    assert f"removed {TARGET} from postgresql.auto.conf" in log
    assert "removed recovery_target_action = 'promote' from postgresql.auto.conf" in log


def test_promise_10_targets_of_its_own_do_not_promote_it(cluster: Cluster) -> None:
    """They are in an included file, or in a rewound former primary's postgresql.auto.conf."""
    node = cluster.standby
    node.stop()
    own_file(node, f"{TARGET}\nrecovery_target_action = promote\n")
    log = recover(cluster, node)
    assert methods(log) == ["catch-up"]
    assert f"overrode {TARGET} from {node.layout.configuration_directory}/conf.d/60-re" in log
    old = cluster.primary
    old.execute(LEFT_BY_A_RESTORE)
    new = cluster.fail_over()
    assert new is node
    new.execute("CREATE TABLE later AS SELECT generate_series(1, 100)")
    log = recover(cluster, old)
    assert methods(log) == ["rewind"], log
    assert f"removed {TARGET} from postgresql.auto.conf" in log


def test_standby_that_runs_with_a_target_is_found_and_not_attached(cluster: Cluster) -> None:
    """It streams until it reaches the target, where it pauses, shuts down or promotes itself."""
    node = cluster.standby
    node.execute("ALTER SYSTEM SET recovery_target_xid = '4000000000'")
    node.restart()
    found = [one.fact for one in check(cluster) if one.severity == "error"]
    assert [fact.partition(":")[0] for fact in found] == [
        f"node {node.node_id} has a recovery target (recovery_target_xid)"
    ]
    until(lambda: plan(cluster, node.node_id)["target_streams"], within_s=30, what="it to stream")
    cluster.pgpool.wait_until_settled()
    cluster.pgpool.detach_node(node.node_id)
    runs = f"the server of node {node.node_id} runs with recovery_target_xid"
    assert runs in refused(cluster, node)
    node.stop()
    log = recover(cluster, node)
    assert "removed recovery_target_xid = '4000000000' from postgresql.auto.conf" in log


def test_transaction_timeout_of_the_primary_ends_no_recovery(cluster: Cluster) -> None:
    """Pgpool-II's session has that timeout; our own sessions turn it off."""
    primary, node = cluster.primary, cluster.standby
    if primary.installation.major < SINCE_17:
        pytest.skip("PostgreSQL 16 and earlier have no transaction_timeout")
    node.stop()
    primary.set(transaction_timeout="1s")
    try:
        with settings(cluster, FULL_COPY + 'max_rate = "5M"\n'):
            log = recover(cluster, node)
    finally:
        primary.set(transaction_timeout="0")
    (took,) = re.findall(r"ready to be started \((\d+\.\d) s\)", log)
    assert float(took) > 1.0


def test_target_on_the_command_line_is_refused_by_name(cluster: Cluster) -> None:
    node = cluster.standby
    node.stop()
    auto = node.machine.path(node.data_directory / "postgresql.auto.conf").read_text()
    of_old = node.data_directory / "recovery.conf"
    node.machine.write_file(of_old, "standby_mode = on\n")
    if cluster.plan.layout == "debian":
        file = node.layout.configuration_directory / "pg_ctl.conf"
        before = node.machine.path(file).read_text()
        node.machine.write_file(file, "pg_ctl_options = '-o \"-c recovery_target=immediate\"'\n")
        log = refused(cluster, node)
        node.machine.write_file(file, before)
        source = str(file)
    else:
        command = [str(node.installation.program("pg_ctl")), "-D", str(node.data_directory)]
        words = ", ".join(f'"{word}"' for word in [*command, "-o", "-c recovery_target=immediate"])
        table = f'[node.{node.node_id}]\nhost = "{node.machine.address}"\n'
        own = f'{table}start_command = [{words}, "start"]\n'
        with settings(cluster, own):
            log = refused(cluster, node)
        source = "start_command in the settings"
    assert f"WARNING:  recovery_target of node {node.node_id} is set on the command line" in log
    assert f"It is 'immediate' and comes from {source}." in log
    assert f"Also: recovery.conf is in the data directory of node {node.node_id}." in log
    assert "The target is untouched." in log
    node.machine.path(of_old).unlink()
    assert node.machine.path(node.data_directory / "postgresql.auto.conf").read_text() == auto
    recover(cluster, node)


def test_promise_10_existing_trigger_file_promotes_no_node(cluster: Cluster) -> None:
    node = cluster.standby
    if node.installation.major > 15:
        pytest.skip("PostgreSQL 16 and later have no promote_trigger_file")
    node.stop()
    trigger = node.machine.home / "promote"
    own_file(node, f"promote_trigger_file = '{trigger}'\n")
    node.machine.write_file(trigger, "")
    log = recover(cluster, node)
    assert f"overrode promote_trigger_file = '{trigger}' from" in log
    assert node.machine.path(trigger).exists()
