"""A cluster, and a person at the host of Pgpool-II who has our command."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tests.cluster.site import install
from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.command import Completed
from tests.harness.keeper import Child
from tests.harness.pgpool_configuration import PCP_USER
from tests.harness.product import Product
from tests.harness.workspace import Workspace

SETTINGS = "/etc/pgpool-recovery.toml"


@dataclass(frozen=True)
class Site:
    """The cluster, and the command on the host of Pgpool-II."""

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
        """Run the command as a person without a terminal, whatever comes of it."""
        argv = [self.command, *map(str, words)]
        environment = self.environment | (env or {})
        machine = self.cluster.pgpool.machine
        return machine.run(argv, env=environment, timeout_s=timeout_s, check=False)

    def spawn(self, *words: object, log: PurePath) -> Child:
        """Start the command, and let it run."""
        argv = [self.command, *map(str, words)]
        return self.cluster.pgpool.machine.spawn(argv, log=log, env=self.environment)

    def read(self, *words: object) -> Any:
        """Return the document that the command answers with."""
        completed = self.run(*words, "--json")
        document = json.loads(completed.stdout)
        assert document["version"] == 1
        return document

    def path(self, name: str) -> Path:
        """Return a file of the person."""
        return self.cluster.pgpool.machine.home / name

    def write_settings(self, text: str = "") -> None:
        """Write the settings of the person: how to reach Pgpool-II, and more."""
        place = self.cluster.pgpool.place
        own = (
            f'[pgpool]\nhost = "{place.sockets}"\npcp_port = {place.pcp_port}\n'
            f'pcp_user = "{PCP_USER}"\n'
        )
        self.cluster.pgpool.machine.write_file(SETTINGS, own + text, owner="root", mode=0o644)


@contextmanager
def site_on_hosts(workspace: Workspace, product: Product, plan: ClusterPlan) -> Iterator[Site]:
    """A host for each node, and the person on that of Pgpool-II."""
    with cluster_on_hosts(workspace, plan) as cluster:
        install(cluster, product)
        site = Site(cluster, product)
        site.write_settings()
        yield site
