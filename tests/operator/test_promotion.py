"""Pgpool-II is not given commands that it would put off, or turn into something else.

Here failover_command promotes nothing, and no health check notices what the tests stop.
"""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.command import CommandError
from tests.harness.pgpool import PcpError
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import Product
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts

SETTINGS = {"search_primary_node_timeout": "12", "health_check_period": "0"}
ORDER = "pcp_promote_node: promote option"


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    pgpool = PgpoolSettings(failover_command="", extra=SETTINGS)
    with site_on_hosts(workspace, product, ClusterPlan(standbys=2, pgpool=pgpool)) as site:
        yield site


def test_current_primary(site: Site) -> None:
    refused = site.run("promote", 0, "--switchover", "--yes")
    assert refused.returncode == 4, refused.output
    assert "node 0 is already the primary" in refused.stderr


def test_node_that_cannot_be_asked(site: Site) -> None:
    """The node's server is stopped, and Pgpool-II does not know that yet."""
    node = site.cluster.node(1)
    node.stop()
    refused = site.run("promote", 1, "--switchover", "--yes")
    node.start()
    assert refused.returncode == 4, refused.output
    assert "the server of node 1 could not be queried" in refused.stderr


def test_node_that_does_not_stream(site: Site) -> None:
    node = site.cluster.node(1)
    site.cluster.host(1).cut(site.cluster.host(0))
    node.restart()
    try:
        refused = site.run("promote", 1, "--switchover", "--yes")
    finally:
        site.cluster.host(1).mend(site.cluster.host(0))
    assert refused.returncode == 4, refused.output
    assert "node 1 does not stream from node 0" in refused.stderr
    until(
        lambda: site.node_status(1)["replication_state"] == "streaming",
        within_s=30,
        what="node 1 to stream",
    )


def test_no_primary(site: Site) -> None:
    """A promotion is refused while Pgpool-II searches for a primary, and when it has found none."""
    pgpool = site.cluster.pgpool
    before = len(pgpool.log_text())
    assert site.run("detach", 0, "--yes").returncode == 0
    searching = [
        site.run("promote", 1, "--switchover", "--yes"),
        site.run("promote", 1, "--yes"),
        site.run("attach", 0),
        site.run("attach", 0, "--force"),
    ]
    assert "failover done" not in pgpool.log_text()[before:], (
        "it must have been searching all the time"
    )
    assert [one.returncode for one in searching] == [4, 4, 6, 6]
    for one in searching:
        assert (
            "It has lost node 0 and is searching for another primary; this may last" in one.stderr
        )
    until(
        lambda: "failover done" in pgpool.log_text()[before:], within_s=30, what="the search to end"
    )
    pgpool.wait_until_settled()
    none = site.run("promote", 1, "--switchover", "--yes")
    assert none.returncode == 4, none.output
    assert "Pgpool-II has no primary from which node 1 could take over" in none.stderr
    assert 'node 0 accepts writes; "pgpool-recovery attach 0"' in none.stderr
    assert ORDER not in pgpool.log_text()[before:]
    assert "received failback request" not in pgpool.log_text()[before:]
    attached = site.run("attach", 0)
    assert attached.returncode == 0, attached.output
    until(
        lambda: pgpool.primary_id() == 0,
        within_s=20,
        what="node 0 to be the primary",
        tolerating=(PcpError, CommandError),
    )


def test_standby_that_a_promotion_would_shut_down(site: Site) -> None:
    primary, node = site.cluster.node(0), site.cluster.node(1)
    primary.execute("ALTER SYSTEM SET max_connections = 150")
    primary.restart()
    until(
        lambda: node.sql("SELECT pg_get_wal_replay_pause_state()") == [("paused",)],
        within_s=20,
        what="node 1 to pause",
    )
    refused = site.run("promote", 1, "--switchover", "--yes")
    assert refused.returncode == 4, refused.output
    assert "node 1 would shut down instead of becoming the primary" in refused.stderr
    assert "max_connections is" in refused.stderr
    assert node.is_in_recovery


def test_second_primary_is_never_attached(site: Site) -> None:
    """It has the highest node id, so Pgpool-II would send all writes to it. The last test here."""
    pgpool = site.cluster.pgpool
    pgpool.wait_until_settled()
    pgpool.detach_node(2)
    node = site.cluster.node(2)
    node.set(max_connections="150")
    node.restart()
    node.promote()
    for words in ([], ["--force"]):
        refused = site.run("attach", 2, *words)
        assert refused.returncode == 4, refused.output
        assert "node 2 accepts writes, but node 0 is the primary" in refused.stderr
        assert "which is node 2" in refused.stderr
    assert pgpool.node_info(2).status == "down"
