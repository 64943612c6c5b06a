"""In the middle of an upgrade, extension, stage commands and agent are of different builds.

Either the recovery works, or one line says what to install where, and the node is unchanged. The
earlier build is the one before issue 10, from the history of this repository.
"""

from collections.abc import Iterator

import pytest

from tests.earlier_build import BEFORE_ISSUE_10, extract
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import (
    Product,
    build_product,
    create_extension,
    install_command,
    install_extension,
    install_stage_commands,
)
from tests.harness.site import assert_recovered, on_hosts, wait_for_no_agent
from tests.harness.workspace import Workspace

pytestmark = pytest.mark.in_order


@pytest.fixture(scope="module")
def earlier() -> Iterator[Product]:
    with Workspace() as workspace:
        yield build_product(workspace, extract(BEFORE_ISSUE_10, workspace.make("source")))


@pytest.fixture(scope="module")
def down(
    earlier: Product, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Cluster]:
    """Yield a cluster whose node 1 is down, with today's build everywhere."""
    with on_hosts(workspace, product, ClusterPlan()) as cluster:
        cluster.node(1).stop()
        cluster.pgpool.wait_for_node(1, "down")
        yield cluster


def install_extension_of(cluster: Cluster, product: Product) -> None:
    primary = cluster.node(0)
    install_extension(primary.machine, primary.installation, product)
    for database in ("template1", "postgres"):
        primary.execute("DROP EXTENSION pgpool_recovery", database=database)
    create_extension(primary)


def fails(cluster: Cluster) -> str:
    """Assert that a recovery fails; return what it has written to pgpool.log."""
    before = len(cluster.pgpool.log_text())
    said = cluster.pgpool.recovery_node(1)
    assert "execution of command failed" in said.output
    cluster.pgpool.wait_for_node(1, "down")
    return cluster.pgpool.log_text()[before:]


def test_earlier_agent_is_named(down: Cluster, earlier: Product, product: Product) -> None:
    install_command(down.host(1), earlier)
    said = fails(down)
    assert "WARNING:  the agent of node 1 speaks another protocol" in said
    assert "Install the same version of pgpool-recovery on all hosts. The older one is that" in said
    assert "on the host of node 1" in said
    assert "The target is untouched" in said
    wait_for_no_agent(down.node(1), within_s=10)
    install_command(down.host(1), product)


def test_earlier_stage_commands_are_named(
    down: Cluster, earlier: Product, product: Product
) -> None:
    """Their own error message is shown, but not trusted."""
    install_stage_commands(down.node(0), earlier)
    said = fails(down)
    assert '"message": "the agent of node 1 speaks another protocol"' in said
    assert "The stage commands here are from an earlier build of pgpool-recovery" in said
    install_stage_commands(down.node(0), product)


def test_earlier_extension_works_with_todays_stage_commands(
    down: Cluster, earlier: Product
) -> None:
    """Its record lacks what today's has, so nothing shows whose the node's former slot is."""
    install_extension_of(down, earlier)
    down.recover(1)
    log = down.pgpool.log_text()
    assert "history: the recovery is no longer recorded" in log
    assert "replication slot node_1 stays" in log
    down.node(0).drop_slot("node_1")
    assert_recovered(down, 1)
