"""Another node is lost in the middle of a recovery: Pgpool-II handles that, and the user is told.

The tests use Pgpool-II 4.3, whose main process waits for a recovery that it runs itself. All
backend weights are 0, so the weights that it sends are not numbers.
"""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.command import CommandError
from tests.harness.pgpool import PcpError
from tests.harness.pgpool_configuration import PgpoolSettings
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, assert_recovered, settings
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import SLOW_COPY, Site, site_on_hosts

THROTTLED = FULL_COPY + 'max_rate = "1536k"\ncompress = "none"\n'
NO_WEIGHTS = {f"backend_weight{node_id}": "0" for node_id in range(3)}
SOON_S = 15
"""Much less than the copy takes; in the harness Pgpool-II notices a lost node within 3 s."""


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    plan = ClusterPlan(standbys=2, pgpool=PgpoolSettings(extra=NO_WEIGHTS))
    with site_on_hosts(workspace, product, plan) as site:
        yield site


def test_other_standby_is_lost(site: Site) -> None:
    """Pgpool-II handles the loss while the copy goes on, and the node is attached at the end."""
    log = site.log("other.log")
    site.take_down(1)
    with settings(site.cluster, THROTTLED):
        client = site.spawn("recover", 1, "--yes", log=log)
        until(lambda: site.is_copying, within_s=30, what="the copy to begin")
        site.cluster.node(2).kill()
        site.cluster.pgpool.wait_for_node(2, "down", within_s=SOON_S)
        assert site.is_copying
        assert site.cluster.pgpool.sql("SELECT 1") == [("1",)]
        assert client.wait(timeout_s=100) == 0
    said = site.cluster.pgpool.machine.path(log).read_text()
    assert "note: the primary is asked by SQL" in said
    assert "node 1 is back: up in Pgpool-II and streaming (basebackup" in said
    assert_recovered(site.cluster, 1)
    back = site.run("recover", 2, "--yes")
    assert back.returncode == 0, back.output


def test_role_that_may_not_call_the_functions(site: Site) -> None:
    """The recovery is then run by Pgpool-II, which may call them, and the output says so."""
    primary = site.cluster.node(0)
    primary.execute("CREATE ROLE looks LOGIN IN ROLE pg_monitor")
    site.write_settings('user = "looks"\n')
    site.take_down(1)
    done = site.run("recover", 1, "--yes")
    site.write_settings()
    assert done.returncode == 0, done.output
    assert "looks may not call the functions on the primary (node 0)" in done.stdout
    assert "node 1: asked Pgpool-II to recover it" in done.stdout
    assert_recovered(site.cluster, 1)


def test_primary_is_lost(site: Site) -> None:
    """Another node is promoted soon, and the recovery fails. This is the last test of the site."""
    cluster, log = site.cluster, site.log("lost.log")
    site.take_down(1)
    with settings(cluster, SLOW_COPY):
        client = site.spawn("recover", 1, "--yes", log=log)
        until(lambda: site.is_copying, within_s=30, what="the copy to begin")
        cluster.node(0).kill()
        until(
            lambda: cluster.pgpool.primary_id() == 2,
            within_s=SOON_S,
            what="node 2 to be the primary",
            tolerating=(PcpError, CommandError),
        )
        assert client.wait(timeout_s=60) == 8
    site.waits_for(log, "the primary (node 0) was lost while it was recovering node 1")
    site.waits_for(log, "recover the node again")
    assert "interrupted" in site.run("history").stdout
    again = site.run("recover", 1, "--yes")
    assert again.returncode == 0, again.output
    assert cluster.contents_equal(2, 1)
