"""Many nodes behind one Pgpool-II: no sshd and no server gets more logins at once than it takes."""

import re
from collections.abc import Iterator

import pytest

from tests.check.ask import check, plan
from tests.check.many import TOO_MANY, TURNED_AWAY, USUAL, many_nodes, server_logs, ssh_logs
from tests.check.test_check import troubles
from tests.harness.cluster import Cluster
from tests.harness.product import Product
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql
from tests.operator.site import Site

FEW = "MaxStartups 3"
"""Enough for one other node and the primary; 7 nodes at once, even 4, would not all get in."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((8, 19, FEW), marks=needs_postgresql(19), id="8-few"),
        pytest.param((16, 17, USUAL), marks=in_whole_matrix(17), id="16"),
    ],
)
def site(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Site]:
    """Yield nodes of Debian 13 or later, whose sshd also has PerSourcePenalties."""
    number, major, sshd = request.param
    with many_nodes(workspace, product, number, major, sshd) as made:
        yield made


def test_nothing_is_found_in_a_healthy_cluster_and_nobody_was_turned_away(site: Site) -> None:
    cluster = site.cluster
    before = streams(cluster)
    found = check(cluster)
    assert troubles(found) == []
    places = list(range(len(cluster.servers)))
    assert [one.node_id for one in found if one.severity == "ok"] == places
    assert TURNED_AWAY.findall(ssh_logs(cluster)) == []
    assert TOO_MANY.findall(server_logs(cluster)) == []
    assert streams(cluster) == before, "a standby had to connect again"


def streams(cluster: Cluster) -> list[tuple[str, ...]]:
    return cluster.primary.sql(
        "SELECT application_name, backend_start FROM pg_stat_replication ORDER BY 1"
    )


def test_status_plan_and_recovery_of_all_that_are_down(site: Site) -> None:
    cluster = site.cluster
    status = site.read("status")["status"]
    assert [node["problems"] for node in status["nodes"]] == [[]] * len(cluster.servers)
    made = plan(cluster, len(cluster.servers) - 1)["now"]
    assert made["method"] == "attach", made
    down = [1, len(cluster.servers) - 1]
    for node_id in down:
        site.take_down(node_id)
    done = site.run("recover", "--all-down", "--yes")
    assert done.returncode == 0, done.output
    status = site.read("status")["status"]
    assert [node["problems"] for node in status["nodes"]] == [[]] * len(cluster.servers)


@pytest.mark.whole_matrix
def test_link_that_is_cut_concerns_only_its_two_nodes(site: Site) -> None:
    """Each waits for the other until ssh gives up; the others go on meanwhile."""
    cluster = site.cluster
    one, other = cluster.host(5), cluster.host(6)
    one.cut(other)
    try:
        found = troubles(check(cluster))
    finally:
        one.mend(other)
    assert {(trouble.severity, trouble.node_id) for trouble in found} == {
        ("error", 5),
        ("error", 6),
    }
    for trouble in found:
        assert {"node 5", "node 6"} == set(re.findall(r"node \d+", trouble.fact)), trouble
