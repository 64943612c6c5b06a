"""A primary with its standbys behind Pgpool-II, in the words of the tests.

with Workspace() as workspace, cluster_on_hosts(workspace, ClusterPlan(standbys=1)) as cluster:
    install_stock(cluster.primary, over_ssh=True)
    cluster.node(1).lose()
    cluster.recover(1)
    assert cluster.contents_equal(0, 1)
"""

from dataclasses import dataclass, field
from typing import Literal

from .command import CommandError, Completed
from .contents import Comparison, compare_contents
from .host import Host
from .load import ClientLoad
from .machine import Machine
from .pgpool import PcpError, Pgpool
from .pgpool_configuration import PgpoolSettings
from .postgresql import Server
from .system import System
from .until import until


class RecoveryError(AssertionError):
    """pcp_recovery_node did not report success."""


@dataclass(frozen=True)
class ClusterPlan:
    """What a cluster is made of.

    `fresh_identity`: a system identifier of its own, at the price of an initdb (0.5 s); otherwise
    all clusters of a workspace share one. `ssh`: user postgres may log in from each node to each.
    `postgresql_major`: this machine's own for None; for another, the hosts of the nodes and of
    Pgpool-II run the system that has it (see `system.py`), with that system's Pgpool-II; or they
    run `system`.
    `data_directory`: its name on a host of a node's own.
    """

    standbys: int = 1
    layout: Literal["plain", "debian"] = "plain"
    authentication: Literal["trust", "scram-sha-256"] = "trust"
    settings: dict[str, str] = field(default_factory=dict)
    initdb_options: tuple[str, ...] = ()
    fresh_identity: bool = False
    ssh: bool = True
    pgpool: PgpoolSettings = field(default_factory=PgpoolSettings)
    postgresql_major: int | None = None
    data_directory: str = "data"
    system: System | None = None

    @property
    def streams(self) -> bool:
        """Whether the other nodes are standbys; otherwise Pgpool-II writes to all of them."""
        return self.pgpool.clustering_mode == "streaming_replication"


@dataclass(frozen=True)
class Cluster:
    """Servers that run, with Pgpool-II in front of them and a machine for a client."""

    plan: ClusterPlan
    servers: tuple[Server, ...]
    pgpool: Pgpool
    client: Machine

    def node(self, node_id: int) -> Server:
        return self.servers[node_id]

    def host(self, node_id: int) -> Host:
        """Return the host of a node, for what only hosts can: be cut off, run out of space."""
        machine = self.node(node_id).machine
        if not isinstance(machine, Host):
            raise TypeError(f"node {node_id} is on {machine.name}, which is no host of its own")
        return machine

    @property
    def primary(self) -> Server:
        """The node that Pgpool-II takes for the primary now.

        Waits for it: after a change, Pgpool-II has none for a moment and restarts its PCP process.
        """
        (node_id,) = until(
            self._primary_ids,
            within_s=20,
            what="Pgpool-II to have a primary",
            tolerating=(PcpError, CommandError),
        )
        return self.node(node_id)

    @property
    def standby(self) -> Server:
        """The first node that is not the primary now, whatever earlier tests have changed."""
        primary = self.primary
        return next(server for server in self.servers if server is not primary)

    def _primary_ids(self) -> list[int]:
        node_id = self.pgpool.primary_id()
        return [] if node_id is None else [node_id]

    def recover(self, node_id: int, *, timeout_s: float = 120) -> Completed:
        """Recover a node through Pgpool-II, as soon as that has noticed that the node is down.

        Raises RecoveryError with the words of pcp_recovery_node. To see a failure itself, use
        `pgpool.recovery_node`.
        """
        self.pgpool.wait_for_node(node_id, "down")
        completed = until(
            lambda: self._recovery_node(node_id, timeout_s),
            within_s=timeout_s,
            what=f"Pgpool-II to begin with the recovery of node {node_id}",
        )
        if "Command Successful" not in completed.output:
            error = RecoveryError(f"node {node_id} was not recovered: {completed.output.strip()}")
            error.add_note(self.pgpool.log_text().rpartition("starting recovering node")[2])
            raise error
        self.pgpool.wait_for_node(node_id, "up")
        return completed

    def fail_over(self, *, within_s: float = 60) -> Server:
        """Kill the primary, wait until Pgpool-II has promoted another node, and return that."""
        old = self.primary
        self.pgpool.wait_until_settled()
        old.kill()
        new = until(
            lambda: self._primary_instead_of(old),
            within_s=within_s,
            what=f"failover from {old.name}",
            tolerating=(PcpError, CommandError),
        )
        until(lambda: not new.is_in_recovery, within_s=within_s, what=f"{new.name} to be primary")
        return new

    def load(self, *, name: str = "load", through_pgpool: bool = True) -> ClientLoad:
        """Return a client that writes to the primary, ready to be started; its tables are made."""
        primary = self.primary
        entrance = self.pgpool if through_pgpool else primary
        load = ClientLoad(self.client, entrance.conninfo(dbname="postgres"), name=name)
        load.create_table(primary)
        return load

    def contents_equal(self, source_id: int, other_id: int, *, within_s: float = 60) -> Comparison:
        """Compare all user tables of two nodes; true, or what differs. No client may write."""
        return compare_contents(self.node(source_id), self.node(other_id), within_s=within_s)

    def slots(self, node_id: int) -> dict[str, bool]:
        """Return the replication slots on a node, and whether each is in use."""
        return self.node(node_id).slots()

    def _recovery_node(self, node_id: int, timeout_s: float) -> Completed | None:
        """Try once; None when Pgpool-II says to try again, as during a failover."""
        completed = self.pgpool.recovery_node(node_id, timeout_s=timeout_s)
        return None if "PCP request at the moment" in completed.output else completed

    def _primary_instead_of(self, old: Server) -> Server | None:
        node_id = self.pgpool.primary_id()
        return None if node_id is None or node_id == old.node_id else self.node(node_id)
