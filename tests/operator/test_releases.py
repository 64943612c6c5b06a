"""The commands for people on each release of Pgpool-II: what its wire formats decide."""

from collections.abc import Iterator

import pytest

from tests.cluster.site import assert_recovered
from tests.harness.cluster import ClusterPlan
from tests.harness.product import Product
from tests.harness.workspace import Workspace
from tests.majors import PGPOOL_RELEASES, needs_postgresql
from tests.operator.site import Site, site_on_hosts


@pytest.fixture(
    scope="module",
    params=[pytest.param(major, marks=needs_postgresql(major)) for major in PGPOOL_RELEASES],
)
def site(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Site]:
    with site_on_hosts(workspace, product, ClusterPlan(postgresql_major=request.param)) as site:
        yield site


def test_recovery(site: Site) -> None:
    site.take_down(1)
    assert site.node_status(1)["pool_status"] == "down"
    done = site.run("recover", 1, "--yes")
    assert done.returncode == 0, done.output
    assert "node 1 is back: up in Pgpool-II and streaming (catch-up" in done.stdout
    assert_recovered(site.cluster, 1)
    assert site.node_status(1)["replication_state"] == "streaming"
    [run] = site.read("history")["runs"]
    assert (run["state"], run["method"]) == ("recovered", "catch-up")


def test_check_knows_where_the_functions_are_called(site: Site) -> None:
    """Up to 4.6 in template1, from 4.7 on in recovery_database."""
    checked = site.read("check")
    assert checked["exit_status"] == 0, checked


def test_extension_that_is_not_where_pgpool_calls_it(site: Site) -> None:
    """Up to 4.4 it is not Pgpool-II that calls it."""
    site.take_down(1)
    release = PGPOOL_RELEASES[site.cluster.node(0).installation.major]
    database = "postgres" if release == "4.7" else "template1"
    primary = site.cluster.node(0)
    primary.execute("DROP EXTENSION pgpool_recovery", database=database)
    try:
        said = site.run("recover", 1, "--yes")
    finally:
        primary.execute("CREATE EXTENSION pgpool_recovery", database=database)
    if release == "4.3":
        assert said.returncode == 0, said.output
        return
    assert said.returncode == 4, said.output
    assert f"database {database} of the primary (node 0)" in said.stderr
    assert f"In {database}: CREATE EXTENSION pgpool_recovery" in said.stderr
    assert site.run("recover", 1, "--yes").returncode == 0


def test_detach_and_attach(site: Site) -> None:
    assert site.run("detach", 1).returncode == 0
    assert site.node_status(1)["pool_status"] == "down"
    attached = site.run("attach", 1)
    assert attached.returncode == 0, attached.output
    assert site.node_status(1)["pool_status"] in ("up", "waiting")
