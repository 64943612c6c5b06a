"""Native replication and snapshot isolation: two stages make a node an independent server."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.command import CommandError
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import left_over, on_hosts, write_settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import Site

MODES = ("native_replication", "snapshot_isolation")
COUNTED = "CREATE TABLE counted (id serial PRIMARY KEY, t text)"
COUNT = "INSERT INTO counted (t) SELECT 'x' FROM generate_series(1, 70)"
SEQUENCES = "SELECT last_value, log_cnt > 0 OR is_called FROM counted_id_seq"


@pytest.fixture(scope="module", params=MODES)
def cluster(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    plan = ClusterPlan(
        settings={"wal_log_hints": "on", "default_transaction_isolation": "repeatable read"},
        pgpool=PgpoolSettings(
            clustering_mode=request.param,
            recovery_2nd_stage_command="recovery_2nd_stage",
            extra={"client_idle_limit_in_recovery": "-1"},  # Clients may return at once.
        ),
    )
    with on_hosts(workspace, product, plan) as made:
        write_settings(made, f'[pgpool]\nbackend_clustering_mode = "{request.param}"\n')
        made.pgpool.sql(COUNTED)
        made.pgpool.sql(COUNT)
        yield made


def recover(cluster: Cluster) -> str:
    """Recover node 1 under load and check that it equals node 0; return Pgpool-II's log."""
    before = len(cluster.pgpool.log_text())
    with cluster.load(name=f"load_{before}") as load, ThreadPoolExecutor(1) as pool:
        recovery = pool.submit(cluster.recover, 1)
        while not recovery.done():
            count(cluster)
        recovery.result()
        load.wait_for_commits(50)
    load.stop()
    assert_independent(cluster, cluster.node(1))
    return cluster.pgpool.log_text()[before:]


def write(cluster: Cluster, statement: str) -> None:
    """Write through Pgpool-II, whose processes may still be restarting after a node change."""
    until(
        lambda: cluster.pgpool.sql(f"{statement} RETURNING 1"),
        within_s=20,
        what="Pgpool-II to accept the statement",
        tolerating=(CommandError,),
    )


def count(cluster: Cluster) -> None:
    """Use the sequence, unless the second stage is running, when clients are turned away."""
    with suppress(CommandError):
        cluster.pgpool.sql(COUNT)


def assert_independent(cluster: Cluster, node: Server) -> None:
    """Assert that a node has all data, is a primary itself, and receives all further writes."""
    main = cluster.node(0)
    comparison = cluster.contents_equal(0, node.node_id)
    assert comparison, comparison.differences
    assert node.sql(SEQUENCES) == main.sql(SEQUENCES)
    assert not node.is_in_recovery
    for setting in ("primary_conninfo", "primary_slot_name"):
        assert node.sql(f"SHOW {setting}") == [("",)]
    assert cluster.slots(0) == cluster.slots(node.node_id) == {}
    assert left_over(node) == []
    write(cluster, COUNT)
    assert node.sql(SEQUENCES) == main.sql(SEQUENCES)
    assert cluster.contents_equal(0, node.node_id)


def methods(log: str) -> list[str]:
    return re.findall(r"NOTICE:  node \d: plan: ([\w-]+):", log)


def test_new_node(cluster: Cluster) -> None:
    cluster.node(1).lose()
    cluster.pgpool.wait_for_node(1, "down")
    log = recover(cluster)
    assert methods(log) == ["basebackup"]
    assert "sequences were reset to the primary's values" in log


def test_node_that_was_recovered_before(cluster: Cluster) -> None:
    """The node has diverged from node 0 since it was promoted, so it is rewound."""
    cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    write(cluster, "UPDATE counted SET t = 'changed'")
    assert methods(recover(cluster)) == ["rewind"]


def test_second_stage_of_a_node_that_is_not_a_standby(cluster: Cluster) -> None:
    """A server that is already independent is refused and stays unchanged."""
    node, main = cluster.node(1), cluster.node(0)
    call = (
        f"SELECT pgpool_recovery('recovery_2nd_stage', '{node.machine.address}', "
        f"'{node.data_directory}', '{main.port}', 1, '{node.port}', '{main.machine.address}')"
    )
    before = len(main.log_text())
    with pytest.raises(Exception, match="pgpool_recovery failed"):
        main.sql(call)
    assert "the target's server is not a standby of this server" in main.log_text()[before:]
    assert_independent(cluster, node)


def test_command_for_people(cluster: Cluster, product: Product) -> None:
    """The command line takes the mode from Pgpool-II, and waits for no stream and no record."""
    site = Site(cluster, product)
    site.write_settings()
    site.take_down(1)
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert "node 1 is back: up in Pgpool-II (" in done.stdout
    shown = site.run("status")
    assert shown.returncode == 0, shown.output
    assert shown.stdout.splitlines()[2].split()[2] in ("up", "waiting")
    assert_independent(cluster, cluster.node(1))
