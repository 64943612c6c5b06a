"""PostgreSQL 19: a primary that would not wait for its standbys on shutdown is not stopped.

The tests build on each other: the second one does what the first one has refused.
"""

from collections.abc import Iterator

import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.site import assert_recovered
from tests.harness.workspace import Workspace
from tests.hooks.site import last_run, site_with_hooks, wait_until_said
from tests.majors import needs_postgresql
from tests.operator.site import Site

pytestmark = [pytest.mark.in_order, needs_postgresql(19)]
TIMEOUT = "wal_sender_shutdown_timeout"


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_with_hooks(workspace, product, ClusterPlan(postgresql_major=19)) as site:
        yield site


def test_switchover_is_refused_and_check_says_so_before(site: Site) -> None:
    cluster = site.cluster
    cluster.node(0).set(**{TIMEOUT: "5s"})
    findings = site.read("check")["findings"]
    about = [one for one in findings if TIMEOUT in one["fact"]]
    assert [(one["severity"], one["node_id"]) for one in about] == [
        ("warning", None),
        ("warning", 0),
    ]
    assert about[0]["fact"].startswith("if node 0 were only detached, it would stay primary")
    assert about[1]["fact"].startswith(f"{TIMEOUT} of node 0 is 5000 ms; ")
    refused = site.run("promote", 1, "--switchover", "--yes")
    assert refused.returncode == 4, refused.output
    assert f"{TIMEOUT} is 5000 ms there" in refused.output
    assert cluster.pgpool.node_info(0).is_attached, "Pgpool-II was asked nevertheless"
    assert not cluster.node(0).is_in_recovery
    assert cluster.node(1).is_in_recovery


def test_switchover_when_it_waits(site: Site) -> None:
    """A client writes meanwhile; nothing is lost, and the old primary needs no rewind."""
    cluster = site.cluster
    cluster.node(0).set(**{TIMEOUT: "-1"})
    before = len(cluster.pgpool.log_text())
    with cluster.load(name="over") as load:
        load.wait_for_commits(50)
        done = site.run("promote", 1, "--switchover", "--yes")
        assert done.returncode == 0, done.output
        wait_until_said(site, "follow_primary: node 0 is back", before)
        load.wait_for_commits(load.committed + 50)
    assert load.lost_numbers(cluster.node(1)) == []
    assert last_run(site, 0)["method"] == "catch-up"
    assert_recovered(cluster, 0)
