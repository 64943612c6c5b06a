"""Clusters with our product on them, and what must be true after each recovery."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import (
    cluster_on_hosts,
    cluster_on_one_host,
    cluster_on_this_machine,
)
from tests.harness.load import ClientLoad
from tests.harness.local_host import LocalHost
from tests.harness.postgresql import Server
from tests.harness.product import (
    Product,
    install_command,
    install_extension,
    install_stage_commands,
)
from tests.harness.server_configuration import write_password_file
from tests.harness.until import until
from tests.harness.workspace import Workspace

FIRST_STAGE = "recovery_1st_stage"
SETTINGS = "/etc/pgpool-recovery.toml"
FULL_COPY = '[policy]\nmethods = ["basebackup"]\n'
"""Settings for tests that are about the full copy; the table can be continued."""


@contextmanager
def on_hosts(workspace: Workspace, product: Product, plan: ClusterPlan) -> Iterator[Cluster]:
    """A host for each node; ours is installed on all of them."""
    with cluster_on_hosts(workspace, plan) as cluster:
        install(cluster, product)
        yield cluster


@contextmanager
def on_one_host(workspace: Workspace, product: Product, plan: ClusterPlan) -> Iterator[Cluster]:
    """All nodes on one host."""
    with cluster_on_one_host(workspace, plan) as cluster:
        install(cluster, product)
        yield cluster


@contextmanager
def on_this_machine(workspace: Workspace, product: Product, plan: ClusterPlan) -> Iterator[Cluster]:
    """All nodes on this machine, without namespaces."""
    with cluster_on_this_machine(workspace, plan) as cluster:
        install(cluster, product)
        yield cluster


def install(cluster: Cluster, product: Product) -> None:
    """Install ours as the README says: the command and the extension on each host, the stages."""
    machines = {id(server.machine): server.machine for server in cluster.servers}.values()
    for machine in machines:
        if not isinstance(machine, LocalHost):
            install_command(machine, product)
        install_extension(machine, cluster.servers[0].installation, product)
    if cluster.plan.authentication != "trust":
        for machine in (*machines, cluster.client):
            write_password_file(machine)
    for server in cluster.servers:
        install_stage_commands(server, product)


def write_settings(cluster: Cluster, text: str) -> None:
    """Write the settings file on every node's host: any of them may be the primary's."""
    for server in cluster.servers:
        host = cluster.host(server.node_id)
        host.write_file(SETTINGS, text, owner="root", mode=0o644)


@contextmanager
def settings(cluster: Cluster, text: str, otherwise: str = "") -> Iterator[None]:
    """Use these settings on the hosts for as long as the context lasts."""
    write_settings(cluster, text)
    try:
        yield
    finally:
        write_settings(cluster, otherwise)


def slot_of(node_id: int) -> str:
    """Return the name of the slot that our recovery gives a node."""
    return f"pgpool_node_{node_id}"


def assert_recovered(cluster: Cluster, node_id: int, load: ClientLoad | None = None) -> None:
    """Assert what must hold after a recovery: up, streaming, equal, and nothing left over."""
    if load is not None:
        summary = load.stop()
        assert summary.failures == ()
        assert load.lost_numbers(cluster.primary) == []
    primary, node = cluster.primary, cluster.node(node_id)
    assert cluster.pgpool.node_info(node_id).status in ("up", "waiting")
    until(lambda: streams(primary, node_id), within_s=10, what=f"node {node_id} to stream")
    comparison = cluster.contents_equal(primary.node_id, node_id)
    assert comparison, comparison.differences
    slots = {slot_of(server.node_id) for server in cluster.servers} | {
        server.slot
        for server in cluster.servers
        if server.node_id not in (primary.node_id, node_id)
    }
    assert set(cluster.slots(primary.node_id)) <= slots, "a slot that nobody streams through"
    assert left_over(node) == [], "something was left beside the data directory"


def streams(primary: Server, node_id: int) -> bool:
    """Return whether a node streams through its slot."""
    query = f"""
        SELECT 1 FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid
         WHERE r.state = 'streaming' AND s.slot_name = '{slot_of(node_id)}'"""
    return bool(primary.sql(query))


def wait_for_no_agent(server: Server, *, within_s: float = 60) -> None:
    """Wait until no agent runs on a node's host; one without its runner undoes what it did."""
    until(
        lambda: not [one for one in server.machine.processes() if one.argv[-1:] == ("agent",)],
        within_s=within_s,
        what=f"no agent to run on {server.machine.name}",
    )


def left_over(server: Server) -> list[str]:
    """Return the workspaces that recoveries left beside a data directory."""
    parent = server.machine.path(PurePath(server.data_directory).parent)
    return sorted(entry.name for entry in parent.iterdir() if "pgpool_recovery" in entry.name)
