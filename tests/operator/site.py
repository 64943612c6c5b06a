"""A cluster, and a person on the host of Pgpool-II who runs our command."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.command import Completed
from tests.harness.keeper import Child
from tests.harness.pgpool_configuration import PCP_USER
from tests.harness.product import Product
from tests.harness.site import FULL_COPY, install
from tests.harness.until import DeadlineError, until
from tests.harness.workspace import Workspace

SETTINGS = "/etc/pgpool-recovery.toml"
SLOW_COPY = FULL_COPY + 'max_rate = "512k"\ncompress = "none"\n'
"""A copy that lasts for half a minute."""


@dataclass(frozen=True)
class Site:
    """A cluster with our command on the host of Pgpool-II."""

    cluster: Cluster
    product: Product

    @property
    def command(self) -> str:
        return str(self.product.command_on(self.cluster.pgpool.machine.system))

    @property
    def environment(self) -> dict[str, str]:
        return {"PCPPASSFILE": str(self.cluster.pgpool.place.pcppass)}

    def run(
        self, *words: object, env: dict[str, str] | None = None, timeout_s: float = 120
    ) -> Completed:
        """Run the command without a terminal, and return its result whatever it is."""
        argv = [self.command, *map(str, words)]
        environment = self.environment | (env or {})
        machine = self.cluster.pgpool.machine
        return machine.run(argv, env=environment, timeout_s=timeout_s, check=False)

    def on_a_terminal(self, *words: object, typed: str) -> Completed:
        """Run the command on a terminal of its own, where `typed` is entered."""
        command = shlex.join([self.command, *map(str, words)])
        environment = self.environment | {"TERM": "xterm", "COLUMNS": "120"}
        argv = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
        machine = self.cluster.pgpool.machine
        return machine.run(argv, env=environment, stdin=typed, timeout_s=120, check=False)

    def spawn(self, *words: object, log: PurePath, env: dict[str, str] | None = None) -> Child:
        """Start the command with an empty log, and return while it runs."""
        machine = self.cluster.pgpool.machine
        machine.write_file(log, "")
        argv = [self.command, *map(str, words)]
        return machine.spawn(argv, log=log, env=self.environment | (env or {}))

    def read(self, *words: object) -> Any:
        """Return the JSON document that the command prints."""
        completed = self.run(*words, "--json")
        document = json.loads(completed.stdout)
        assert document["version"] == 1
        return document

    def node_status(self, node_id: int) -> Any:
        """Return what `status` reports about a node."""
        nodes = self.read("status")["status"]["nodes"]
        return next(node for node in nodes if node["node_id"] == node_id)

    def log(self, name: str) -> Path:
        """Return the path of a log file in the home directory on the host of Pgpool-II."""
        return self.cluster.pgpool.machine.home / name

    def waits_for(self, log: Path, text: str) -> None:
        """Wait until a command has written a text to its log."""
        file = self.cluster.pgpool.machine.path(log)
        try:
            until(lambda: text in file.read_text(), within_s=60, what=f"{text!r} in {log}")
        except DeadlineError as error:
            error.add_note(file.read_text())
            raise

    def take_down(self, node_id: int) -> None:
        """Stop a node's server, unless the previous test has left it stopped."""
        if self.cluster.node(node_id).is_running:
            self.cluster.node(node_id).stop()
        self.cluster.pgpool.wait_for_node(node_id, "down")

    def lose(self, node_id: int) -> None:
        """Remove a node's data, and its slot, which cannot be known without the data."""
        node, primary = self.cluster.node(node_id), self.cluster.node(0)
        node.lose()
        primary.drop_slot(node.slot)
        self.cluster.pgpool.wait_for_node(node_id, "down")

    @property
    def is_copying(self) -> bool:
        return bool(self.cluster.node(0).sql("SELECT 1 FROM pg_stat_progress_basebackup"))

    @contextmanager
    def without_ssh_to(self, node_id: int) -> Iterator[None]:
        """Make a node's sshd accept no key."""
        machine = self.cluster.node(node_id).machine
        keys = machine.home / ".ssh" / "authorized_keys"
        machine.run(["mv", str(keys), f"{keys}.away"])
        try:
            yield
        finally:
            machine.run(["mv", f"{keys}.away", str(keys)])

    def write_settings(self, text: str = "", sockets: PurePath | None = None) -> None:
        """Write the settings on the host of Pgpool-II: how to reach it, and `text`."""
        place = self.cluster.pgpool.place
        own = (
            f'[pgpool]\nhost = "{sockets or place.sockets}"\npcp_port = {place.pcp_port}\n'
            f'pcp_user = "{PCP_USER}"\n'
        )
        self.cluster.pgpool.machine.write_file(SETTINGS, own + text, owner="root", mode=0o644)

    def write_nodes_into_settings(self) -> None:
        """Write settings that also name the nodes."""
        self.write_settings(
            'user = "postgres"\n'
            + "".join(
                f'[node.{server.node_id}]\nhost = "{server.machine.address}"\n'
                f'port = {server.port}\ndata_directory = "{server.data_directory}"\n'
                for server in self.cluster.servers
            )
        )


@contextmanager
def site_on_hosts(workspace: Workspace, product: Product, plan: ClusterPlan) -> Iterator[Site]:
    """Yield a site with a host for each node."""
    with cluster_on_hosts(workspace, plan) as cluster:
        install(cluster, product)
        site = Site(cluster, product)
        site.write_settings()
        yield site
