"""Query a cluster's primary, and assert that the query leaves nothing behind."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.cluster import Cluster
from tests.harness.postgresql import Server
from tests.harness.psql import quoted

WRITTEN_BY_ITSELF = ("pg_wal", "pg_stat", "pg_stat_tmp", "base")


def plan(cluster: Cluster, node_id: int) -> dict[str, Any]:
    """Return the plan for a node, as the primary's function returns it."""
    primary, node = cluster.primary, cluster.node(node_id)
    words = (
        str(node.machine.address),
        str(node.data_directory),
        str(primary.port),
        str(node_id),
        str(node.port),
        str(primary.machine.address),
    )
    arguments = ", ".join(map(quoted, words))
    [[made]] = primary.sql(f"SELECT pgpool_recovery_plan({arguments})")
    return dict(json.loads(made))


def fingerprint(server: Server) -> dict[str, tuple[int, int]]:
    """Return size and time of every file in a stopped server's data directory, and next to it."""
    return {
        name: (path.lstat().st_size, path.lstat().st_mtime_ns)
        for name, path in _files(server).items()
    }


def names(server: Server) -> set[str]:
    """Return the names of a running server's files, without those that it creates itself."""
    return {name for name in _files(server) if not set(Path(name).parts) & set(WRITTEN_BY_ITSELF)}


def _files(server: Server) -> dict[str, Path]:
    parent = server.machine.path(Path(server.data_directory).parent)
    return {str(path.relative_to(parent)): path for path in sorted(parent.rglob("*"))}


@dataclass(frozen=True)
class Found:
    """A row of the check's result."""

    severity: str
    node_id: int | None
    fact: str
    advice: str


def check(cluster: Cluster, **pool: str) -> list[Found]:
    """Return the primary's findings about all nodes; `pool` has parameters of pgpool.conf."""
    nodes = [
        {
            "node_id": server.node_id,
            "host": str(server.machine.address),
            "port": server.port,
            "data_directory": str(server.data_directory),
        }
        for server in cluster.servers
    ]
    asked = json.dumps({"nodes": nodes, **pool} if pool else nodes)
    rows = cluster.primary.sql(f"SELECT * FROM pgpool_recovery_check({quoted(asked)})")
    return [
        Found(severity, int(node_id) if node_id else None, fact, advice)
        for severity, node_id, fact, advice in rows
    ]
