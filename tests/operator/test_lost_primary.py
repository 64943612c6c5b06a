"""The primary is lost in the middle of a recovery: what the person is told, and what to do then."""

from tests.cluster.site import settings
from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.operator.site import SLOW_COPY, site_on_hosts


def test_primary_that_is_lost(workspace: Workspace, product: Product, namespaces: None) -> None:
    with site_on_hosts(workspace, product, ClusterPlan(standbys=2)) as site:
        cluster, log = site.cluster, site.log("lost.log")
        site.take_down(1)
        with settings(cluster, SLOW_COPY):
            client = site.spawn("recover", 1, "--yes", log=log)
            until(lambda: site.is_copying, within_s=30, what="the copy to begin")
            cluster.node(0).kill()
            assert client.wait(timeout_s=60) == 8
        site.waits_for(log, "the primary (node 0) was lost while it recovered node 1")
        site.waits_for(log, "recover the node again")
        until(lambda: cluster.pgpool.primary_id() is not None, within_s=30, what="another primary")
        assert "interrupted" in site.run("history").stdout
        again = site.run("recover", 1, "--yes")
        assert again.returncode == 0, again.output
        assert cluster.contents_equal(2, 1)
