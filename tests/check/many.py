"""A cluster of many small nodes with the usual limits of sshd, and no WAL sender to spare."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.product import Product
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts

USUAL = "MaxStartups 10:30:100"
"""The default of MaxStartups; the harness allows more to all others."""
SENDERS_OF_A_COPY = 2
TURNED_AWAY = re.compile(r"drop connection|MaxStartups throttling|penalty")
LOGGED_IN = re.compile(r"Accepted publickey")
REPLICATION = re.compile(r"replication connection authorized")
TOO_MANY = re.compile(r"FATAL: .*(number of requested standby connections|too many clients)")


@contextmanager
def many_nodes(
    workspace: Workspace,
    product: Product,
    number: int,
    major: int | None = None,
    sshd: str = USUAL,
) -> Iterator[Site]:
    """As many WAL senders as a check asks for: of all but one of the standbys, and of a copy."""
    plan = ClusterPlan(
        standbys=number - 1,
        postgresql_major=major,
        settings={
            "autovacuum": "off",
            "max_replication_slots": str(number),
            "max_wal_senders": str(number - 2 + SENDERS_OF_A_COPY),
            "log_connections": "on",
            "shared_buffers": "1MB",
            "wal_log_hints": "on",
            **({} if major is None or major < 17 else {"summarize_wal": "on"}),
        },
    )
    with site_on_hosts(workspace, product, plan) as site:
        for server in site.cluster.servers:
            daemon = site.cluster.host(server.node_id).sshd
            daemon.stop()
            daemon.start(f"{sshd}\nLogLevel VERBOSE")
        yield site


def ssh_logs(cluster: Cluster) -> str:
    """Return the logs of sshd on all hosts."""
    return "\n".join(cluster.host(server.node_id).sshd.log_text() for server in cluster.servers)


def server_logs(cluster: Cluster) -> str:
    """Return the logs of all servers."""
    return "\n".join(server.log_text() for server in cluster.servers)
