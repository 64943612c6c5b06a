"""recover and status with a real Pgpool-II, from its host."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.site import assert_recovered
from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts


@pytest.fixture(scope="module")
def site(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(standbys=2)) as site:
        yield site


def test_status(site: Site) -> None:
    shown = site.run("status")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[1].split()[:4] == ["0", "10.77.0.11:5432", "up", "primary"]
    status = site.read("status")["status"]
    assert status["primary"] == 0
    states = [node["replication_state"] for node in status["nodes"]]
    assert states == [None, "streaming", "streaming"]


def test_stopped_node(site: Site) -> None:
    site.cluster.node(1).stop()
    site.cluster.pgpool.wait_for_node(1, "down")
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert "node 1 is back: up in Pgpool-II and streaming" in done.stdout
    assert_recovered(site.cluster, 1)


def test_nobody_can_be_asked_about_a_node_without_data(site: Site) -> None:
    """The node stays down for the next test."""
    site.cluster.node(1).lose()
    site.cluster.pgpool.wait_for_node(1, "down")
    refused = site.run("recover", 1)
    assert refused.returncode == 4
    assert "--yes" in refused.stderr
    assert site.cluster.pgpool.node_info(1).status == "down"


def test_events(site: Site) -> None:
    done = site.run("recover", 1, "--yes", "--events")
    assert done.returncode == 0, done.output
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["version"] for event in events} == {1}
    assert events[-1]["event"] == "ended"
    assert events[-1]["recovery"]["is_streaming"]
    assert_recovered(site.cluster, 1)


def test_node_that_is_up(site: Site) -> None:
    refused = site.run("recover", 1, "--yes")
    assert refused.returncode == 4
    assert "detach 1" in refused.stderr


def test_pgpool_that_cannot_be_reached(site: Site) -> None:
    failed = site.run("status", "--host", "10.77.0.11", "--port", 9)
    assert failed.returncode == 5
    assert "could not connect to Pgpool-II at 10.77.0.11 port 9" in failed.stderr
