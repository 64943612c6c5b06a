"""Build a cluster on hosts of its own, on one host, or on this machine without namespaces."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .cluster import Cluster, ClusterPlan
from .installation import Installation, copied_installation, system_installation
from .layout import DebianLayout, Layout, PlainLayout
from .local_host import LocalHost
from .machine import Machine
from .network import Network
from .pgpool import Pgpool
from .postgresql import Server
from .system import system_with
from .template import initialise, template_data_directory
from .workspace import Workspace


@dataclass(frozen=True)
class Site:
    """The machines of a cluster: one per node, all of them different or all the same."""

    nodes: Sequence[Machine]
    pgpool: Machine
    client: Machine
    installation: Installation

    @property
    def is_one_machine(self) -> bool:
        return len(self.nodes) > 1 and self.nodes[0] is self.nodes[1]


@contextmanager
def cluster_on_hosts(
    workspace: Workspace, plan: ClusterPlan, *, on_disk: bool = False
) -> Iterator[Cluster]:
    """A host for each node (node0, node1, ...), one for Pgpool-II, and one for clients.

    Their data lies in memory, or in the workspace with `on_disk`. The nodes and Pgpool-II run the
    system that has the plan's PostgreSQL; the client runs this machine's own, as the tests do.
    """
    system = plan.system or system_with(plan.postgresql_major)
    names = [f"node{number}" for number in range(plan.standbys + 1)]
    with Network(
        [*names, "pgpool", "client"],
        disk=workspace if on_disk else None,
        systems=dict.fromkeys([*names, "pgpool"], system),
    ) as network:
        nodes = [network.host(name) for name in names]
        if plan.ssh:
            network.trust_all(nodes)
        installation = system.installation(plan.postgresql_major)
        site = Site(nodes, network.host("pgpool"), network.host("client"), installation)
        yield build(workspace, plan, site)


@contextmanager
def cluster_on_one_host(workspace: Workspace, plan: ClusterPlan) -> Iterator[Cluster]:
    """All nodes and Pgpool-II on one host, with a port for each server, and a host for clients."""
    system = system_with(plan.postgresql_major)
    with Network(["single", "client"], systems={"single": system}) as network:
        installation = system.installation(plan.postgresql_major)
        single, client = network.hosts
        yield build(workspace, plan, _on_one(single, client, plan, installation))


@contextmanager
def cluster_on_this_machine(workspace: Workspace, plan: ClusterPlan) -> Iterator[Cluster]:
    """The same without namespaces: free ports, and a private copy of the installation."""
    with LocalHost(workspace) as host:
        installation = _private_installation(workspace, plan.postgresql_major)
        yield build(workspace, plan, _on_one(host, host, plan, installation))


def build(workspace: Workspace, plan: ClusterPlan, site: Site) -> Cluster:
    """Build the servers, and start Pgpool-II in front of them."""
    servers = build_servers(workspace, plan, site)
    pgpool = Pgpool(site.pgpool, servers, plan.pgpool)
    pgpool.start()
    return Cluster(plan, tuple(servers), pgpool, site.client)


def build_servers(workspace: Workspace, plan: ClusterPlan, site: Site) -> list[Server]:
    """Create and start a server for each node: the first as primary."""
    servers = [_server(plan, site, node_id) for node_id in range(len(site.nodes))]
    primary, *others = servers
    with _template(workspace, plan, primary) as template:
        for server in servers:
            server.create_from(template)
    primary.start()
    for other in others:
        if plan.streams:
            other.make_standby_of(primary)
        other.start()
    return servers


def _on_one(
    machine: Machine, client: Machine, plan: ClusterPlan, installation: Installation
) -> Site:
    return Site([machine] * (plan.standbys + 1), machine, client, installation)


def _server(plan: ClusterPlan, site: Site, node_id: int) -> Server:
    machine = site.nodes[node_id]
    return Server(
        machine=machine,
        installation=site.installation,
        layout=_layout(plan, site, node_id),
        node_id=node_id,
        port=machine.free_port(5432 + node_id if site.is_one_machine else 5432),
        authentication=plan.authentication,
        settings=dict(plan.settings),
    )


def _layout(plan: ClusterPlan, site: Site, node_id: int) -> Layout:
    if plan.layout == "debian":
        if site.is_one_machine:
            raise ValueError("the Debian layout needs a host for each node")
        return DebianLayout(site.installation.major)
    machine = site.nodes[node_id]
    name = f"data{node_id}" if site.is_one_machine else plan.data_directory
    return PlainLayout(
        site.installation,
        data_directory=machine.home / str(site.installation.major) / name,
        log_file=machine.log_directory / f"{name}.log",
    )


@contextmanager
def _template(workspace: Workspace, plan: ClusterPlan, server: Server) -> Iterator[Path]:
    machine, installation = server.machine, server.installation
    if not plan.fresh_identity:
        yield template_data_directory(workspace, machine, installation, plan.initdb_options)
        return
    fresh = workspace.make_new("fresh-")
    initialise(machine, installation, fresh / "data", plan.initdb_options)
    yield fresh / "data"
    shutil.rmtree(fresh)


def _private_installation(workspace: Workspace, postgresql_major: int | None) -> Installation:
    """Return the workspace's copy of the installation, made when it is not there."""
    major = system_installation(postgresql_major).major
    directory = workspace.directory / f"installation-{major}"
    if directory.exists():
        return Installation(directory, major)
    return copied_installation(directory, major)
