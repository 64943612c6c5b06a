"""A cluster on Debian hosts that have nothing of ours, until packages are installed on them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.host import Host
from tests.harness.product import Product
from tests.harness.system import System
from tests.harness.workspace import Workspace
from tests.operator.site import Site
from tests.packages.built import COMMAND, REPOSITORY, Packages, extension_package
from tests.packages.debian import apt, install

LAUNCHER = Path("/usr/bin/pgpool-recovery")
STOCK = "postgresql-{}-pgpool2"


class PackagedProduct(Product):
    """The command where the package has it, on every system."""

    def command_on(self, system: System) -> Path:  # noqa: ARG002 - as in Product
        return LAUNCHER


@dataclass(frozen=True)
class DebianSite(Site):
    """A site whose hosts are Debian systems of one release."""

    @property
    def major(self) -> int:
        return self.cluster.servers[0].installation.major

    @property
    def database_hosts(self) -> list[Host]:
        return [self.cluster.host(server.node_id) for server in self.cluster.servers]

    @property
    def pgpool_host(self) -> Host:
        machine = self.cluster.pgpool.machine
        assert isinstance(machine, Host)
        return machine

    @property
    def hosts(self) -> list[Host]:
        return [*self.database_hosts, self.pgpool_host]

    @property
    def stock_package(self) -> str:
        return STOCK.format(self.major)

    @property
    def extension_package(self) -> str:
        return extension_package(self.major)

    @property
    def extension_directory(self) -> Path:
        return self.cluster.servers[0].installation.extension_directory

    def install(self, host: Host, packages: Packages) -> str:
        """Install what a host needs, on that of Pgpool-II only the command; return what is said."""
        more = [] if host is self.pgpool_host else [packages.extension(self.major)]
        return install(host, packages.command, *more).output

    def purge(self, host: Host) -> None:
        apt(host, "purge", COMMAND, *([] if host is self.pgpool_host else [self.extension_package]))

    def install_stages(self, node_id: int, command: PurePath = LAUNCHER) -> str:
        """Install the stage commands, as the owner of the data directory."""
        server = self.cluster.node(node_id)
        argv = [str(command), "install", "--data-directory", str(server.data_directory)]
        return server.machine.run(argv).stdout


def leave_as_it_is(_host: Host) -> None:
    """Put nothing on a host."""


@contextmanager
def debian_site(
    workspace: Workspace, plan: ClusterPlan, prepare: Callable[[Host], None] = leave_as_it_is
) -> Iterator[DebianSite]:
    """Yield a cluster whose hosts see neither the checkout nor anything that was made from it.

    `prepare` is called for each host while it still sees the workspaces of the tests.
    """
    with cluster_on_hosts(workspace, plan) as cluster:
        site = DebianSite(cluster, PackagedProduct(workspace))
        for host in site.hosts:
            prepare(host)
            hide_machine(host)
        site.write_settings()
        yield site


def hide_machine(host: Host) -> None:
    """Cover the one place that a host shares with this machine; it does not see the checkout."""
    assert not host.path(REPOSITORY / "src" / "pgpool_recovery").exists()
    host.run(["mount", "-t", "tmpfs", "tmpfs", "/var/tmp"], user="root")
