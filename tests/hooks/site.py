"""Three nodes behind a Pgpool-II that calls our hooks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pgpool_recovery.hooks.call import PLACEHOLDERS, WORDS
from tests.harness.cluster import ClusterPlan
from tests.harness.command import CommandError, Completed
from tests.harness.pgpool import PcpError
from tests.harness.pgpool_configuration import pcppass
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.system import system_with
from tests.harness.until import DeadlineError, until
from tests.harness.workspace import Workspace
from tests.operator.site import Site, site_on_hosts

PLAN = ClusterPlan(standbys=2, settings={"wal_log_hints": "on"})


@contextmanager
def site_with_hooks(
    workspace: Workspace, product: Product, plan: ClusterPlan = PLAN
) -> Iterator[Site]:
    """Yield a site whose failover_command and follow_primary_command call only our commands."""
    command = product.command_on(system_with(plan.postgresql_major))
    pgpool = replace(
        plan.pgpool,
        failover_command=f"{command} failover {WORDS}",
        follow_primary_command=f"{command} follow_primary {WORDS}",
    )
    with site_on_hosts(workspace, product, replace(plan, pgpool=pgpool)) as site:
        write_pcppass(site)
        yield site


def write_pcppass(site: Site) -> None:
    """Write the ~/.pcppass of the user that Pgpool-II, and so its hooks, run as."""
    pgpool = site.cluster.pgpool
    pgpool.machine.write_file(pgpool.machine.home / ".pcppass", pcppass())


def words(site: Site, **values: object) -> list[str]:
    """Return the words of a call; most of them follow from the node ids `down`, `new`, `old`."""
    nodes = site.cluster.servers
    down, new, old = values.pop("down", 0), values.pop("new", 1), values.pop("old", 0)
    said = {
        "d": down,
        "h": _host(nodes, down),
        "p": _port(nodes, down),
        "D": _directory(nodes, down),
        "m": new,
        "H": _host(nodes, new),
        "M": 0,
        "P": old,
        "r": _port(nodes, new),
        "R": _directory(nodes, new),
        "N": _host(nodes, old),
        "S": _port(nodes, old),
    }
    said.update(values)
    return [str(said[placeholder[1:]]) for placeholder in PLACEHOLDERS]


def call(site: Site, hook: str, **values: object) -> Completed:
    """Call a hook by hand."""
    return site.run(hook, *words(site, **values))


def log_since(site: Site, before: int) -> str:
    return site.cluster.pgpool.log_text()[before:]


def hook_lines(log: str) -> list[str]:
    """Return the lines that our hooks have written."""
    return re.findall(r"^(?:failover|follow_primary): (.*)$", log, re.MULTILINE)


def wait_for_primary(site: Site, node_id: int) -> None:
    pgpool = site.cluster.pgpool
    until(
        lambda: pgpool.primary_id() == node_id,
        within_s=60,
        what=f"node {node_id} to be the primary",
        tolerating=(PcpError, CommandError),
    )


def wait_until_said(site: Site, text: str, before: int, *, within_s: float = 60) -> None:
    """Wait until pgpool.log has a text."""
    try:
        until(lambda: text in log_since(site, before), within_s=within_s, what=repr(text))
    except DeadlineError as error:
        error.add_note(log_since(site, before))
        raise


def last_run(site: Site, node_id: int) -> Any:
    """Return what is on record last of a node, on the primary of now."""
    runs = until(  # Up to 4.4 PCP is away for a moment after each change of a node.
        lambda: site.read("history").get("runs"), within_s=20, what="the record of recoveries"
    )
    return next(run for run in runs if run["node_id"] == node_id)


def _server(nodes: tuple[Server, ...], node_id: object) -> Server | None:
    return nodes[node_id] if isinstance(node_id, int) and 0 <= node_id < len(nodes) else None


def _host(nodes: tuple[Server, ...], node_id: object) -> str:
    server = _server(nodes, node_id)
    return "" if server is None else server.machine.address


def _port(nodes: tuple[Server, ...], node_id: object) -> str:
    server = _server(nodes, node_id)
    return "" if server is None else str(server.port)


def _directory(nodes: tuple[Server, ...], node_id: object) -> str:
    server = _server(nodes, node_id)
    return "" if server is None else str(server.data_directory)
