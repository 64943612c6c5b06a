"""A running stock cluster: three database hosts and a host of Pgpool-II, by the manual's steps.

with stock_cluster(workspace, StockPlan()) as cluster:
    cluster.node(1).lose()
    cluster.recover(1)
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.host import Host
from tests.harness.layout import DebianLayout
from tests.harness.network import Network
from tests.harness.pgpool import Pgpool
from tests.harness.pgpool_configuration import PgpoolPlace, PgpoolSettings, pcp_conf
from tests.harness.postgresql import Server
from tests.harness.samples import STAGES
from tests.harness.system import System, system_with
from tests.harness.workspace import Workspace

from . import manual
from .archive import build_archive
from .fresh import (
    in_parallel,
    keep_postgres_out,
    let_admin_in,
    let_postgres_in,
    make_fresh,
    purge,
)
from .plan import ACCOUNTS, PGPOOL, SERVERS, StockPlan

CONFIGURATION = Path("/etc/pgpool2")
DATABASES = ("template1", "postgres")
HOOKS = ("failover.sh", "follow_primary.sh")
_MOVED_PORT = 5433
_MOVED_DIRECTORY = Path("/srv/postgresql/data")


@dataclass(frozen=True)
class _MovedLayout(DebianLayout):
    """Debian's cluster `main` with its data elsewhere."""

    @property
    def data_directory(self) -> Path:
        return _MOVED_DIRECTORY


class _DebianPlace(PgpoolPlace):
    """Where Debian's package has the files of Pgpool-II."""

    @property
    def sockets(self) -> Path:
        return Path("/var/run/postgresql")

    @property
    def log(self) -> Path:
        return Path("/var/log/postgresql/pgpool.log")

    @property
    def pcp_host(self) -> str:
        return "localhost"

    @property
    def pcppass(self) -> Path:
        return self.machine.home / ".pcppass"


class StockPgpool(Pgpool):
    """Pgpool-II with Debian's files, started as its unit does: `pgpool -n`, as postgres."""

    def __init__(self, machine: Host, servers: Sequence[Server]) -> None:
        super().__init__(machine, servers, PgpoolSettings())
        self.place = _DebianPlace(machine, CONFIGURATION, port=9999, pcp_port=9898)

    def set(self, **settings: str) -> None:
        """Change settings in pgpool.conf; a running Pgpool-II needs a reload."""
        file = self.machine.path(CONFIGURATION / "pgpool.conf")
        file.write_text(manual.with_settings(file.read_text(), settings))

    def _write_files(self) -> None:
        """Leave the files alone: a person has written them."""

    def _start_argv(self, *, keep_status: bool) -> list[str]:
        return ["/usr/sbin/pgpool", *([] if keep_status else ["-D"]), "-n"]

    def _pgpool(self) -> list[str]:
        return ["/usr/sbin/pgpool"]


@contextmanager
def stock_cluster(workspace: Workspace, plan: StockPlan) -> Iterator[Cluster]:
    """Build the cluster; both standbys are made by stock online recovery."""
    system = system_with(plan.postgresql_major)
    major = system.installation(plan.postgresql_major).major
    archive = build_archive(workspace, system, [f"postgresql-plpython3-{major}"])
    with Network([*SERVERS, PGPOOL], systems=dict.fromkeys([*SERVERS, PGPOOL], system)) as network:
        hosts = [network.host(name) for name in SERVERS]
        make_fresh(network.hosts, plan, major, archive)
        let_admin_in(network.host(PGPOOL), hosts, plan)
        let_postgres_in(network.hosts, hosts)
        servers = [
            _server(plan, system, major, node_id, host) for node_id, host in enumerate(hosts)
        ]
        in_parallel(lambda host: _create(host, servers), hosts)
        _make_primary(servers[0])
        pgpool = StockPgpool(network.host(PGPOOL), servers)
        _configure(pgpool)
        pgpool.start()
        cluster = Cluster(_in_words_of_the_harness(plan), tuple(servers), pgpool, pgpool.machine)
        for server in servers[1:]:
            cluster.recover(server.node_id)
        _take_away(cluster, plan, major)
        yield cluster


def _in_words_of_the_harness(plan: StockPlan) -> ClusterPlan:
    return ClusterPlan(
        standbys=len(SERVERS) - 1,
        layout="debian",
        authentication="scram-sha-256",
        postgresql_major=plan.postgresql_major,
    )


def _server(plan: StockPlan, system: System, major: int, node_id: int, host: Host) -> Server:
    is_moved = plan.moved == node_id
    return Server(
        machine=host,
        installation=system.installation(major),
        layout=_MovedLayout(major) if is_moved else DebianLayout(major),
        node_id=node_id,
        port=_MOVED_PORT if is_moved else 5432,
        authentication="scram-sha-256",
    )


def _create(host: Host, servers: Sequence[Server]) -> None:
    """Create a cluster as the package postgresql does, and edit its files; it does not run yet."""
    server = next(one for one in servers if one.machine is host)
    layout, home = server.layout, host.home
    argv = ["pg_createcluster", str(server.installation.major), "main", "-p", str(server.port)]
    if isinstance(layout, _MovedLayout):
        host.make_directory(layout.data_directory.parent)
        argv += ["-d", str(layout.data_directory)]
    host.run([*argv, "--", "--no-sync"], user="root")
    configuration = host.path(layout.configuration_directory)
    settings = configuration / "postgresql.conf"
    settings.write_text(
        manual.with_settings(settings.read_text(), manual.postgresql_settings(server))
    )
    with (configuration / "pg_hba.conf").open("a") as hba:
        hba.writelines(f"{line}\n" for line in manual.HBA_LINES)
    host.make_directory(home / "archivedir")
    host.write_file(home / ".pgpass", manual.password_file(servers))


def _make_primary(server: Server) -> None:
    server.start()
    server.execute(manual.ROLES)
    for database in DATABASES:
        server.execute("CREATE EXTENSION pgpool_recovery", database=database)
    for name in STAGES:
        text = manual.script(name, server)
        server.machine.write_file(server.data_directory / name, text, mode=0o755)


def _configure(pgpool: StockPgpool) -> None:
    """Write what a person writes on the host of Pgpool-II."""
    machine, servers = pgpool.machine, pgpool.servers
    pgpool.set(**manual.pgpool_settings(servers))
    with machine.path(CONFIGURATION / "pool_hba.conf").open("a") as pool_hba:
        pool_hba.write(manual.POOL_HBA_LINES)
    with machine.path(CONFIGURATION / "pcp.conf").open("a") as pcp:
        pcp.write(pcp_conf())
    machine.write_file(machine.home / ".pcppass", manual.PCPPASS)
    machine.write_file(machine.home / ".pgpass", manual.password_file(servers))
    machine.write_file(machine.home / ".pgpoolkey", "some string\n")
    for role in ("pgpool", "postgres"):
        key = ["-m", "-k", machine.home / ".pgpoolkey", "-f", CONFIGURATION / "pgpool.conf"]
        machine.run(["pg_enc", *map(str, key), "-u", role, ACCOUNTS[role]], user="root")
    for name in HOOKS:
        text = manual.script(name, servers[0])
        machine.write_file(CONFIGURATION / name, text, mode=0o755)


def _take_away(cluster: Cluster, plan: StockPlan, major: int) -> None:
    """Remove what a stranger's cluster lacks."""
    hosts = [cluster.host(server.node_id) for server in cluster.servers]
    if not plan.ssh:
        keep_postgres_out(hosts)
        cluster.pgpool.machine.run(["rm", "-rf", cluster.pgpool.machine.home / ".ssh"])
    if not plan.replication_line:
        for server in cluster.servers[1:]:
            hba = server.machine.path(server.layout.configuration_directory / "pg_hba.conf")
            hba.write_text(hba.read_text().replace(manual.HBA_LINES[1] + "\n", ""))
            server.reload()
    if not plan.extension:
        for database in DATABASES:
            cluster.node(0).execute("DROP EXTENSION pgpool_recovery", database=database)
        for server in cluster.servers:
            paths = [server.data_directory / name for name in STAGES]
            server.machine.run(["rm", "-f", *map(str, paths)])
        in_parallel(lambda host: purge(host, f"postgresql-{major}-pgpool2"), hosts)
    if plan.recovery_user != "postgres":
        assert isinstance(cluster.pgpool, StockPgpool)
        cluster.pgpool.set(recovery_user=plan.recovery_user)
        cluster.pgpool.reload()
    for node_id in plan.down:
        cluster.node(node_id).stop()
        cluster.pgpool.wait_for_node(node_id, "down")
