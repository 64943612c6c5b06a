"""Bring a node back: with our commands, the stock scripts, or the tools that both build upon."""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.situation import Situation
from tests.harness.cluster import Cluster
from tests.harness.command import Completed
from tests.harness.postgresql import Server
from tests.harness.product import Product, install_stage_commands, install_stock
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until

_WITHIN_S = 900


class NotBroughtBack(Exception):
    """The attempt did not succeed; the message is that of the program."""


@dataclass(frozen=True)
class Contender:
    """A way to bring a node back; `bring_back` returns when its command ended (time.monotonic)."""

    name: str
    prepare: Callable[[Cluster, Product], None]
    bring_back: Callable[[Cluster, Server, Server], float]
    applies_to: Callable[[Situation], bool] = lambda _situation: True


def _install_ours(cluster: Cluster, product: Product) -> None:
    for server in cluster.servers:
        install_stage_commands(server, product)


def _install_stock(cluster: Cluster, _product: Product, *, spread_checkpoint: bool) -> None:
    for server in cluster.servers:
        install_stock(server, over_ssh=True, spread_checkpoint=spread_checkpoint)


def _nothing(_cluster: Cluster, _product: Product) -> None:
    """Install nothing: the tools need nothing."""


def recover(cluster: Cluster, _primary: Server, node: Server) -> float:
    """Recover with pcp_recovery_node and whichever stage commands are installed."""
    completed = until(
        lambda: _unless_busy(cluster.pgpool.recovery_node(node.node_id, timeout_s=_WITHIN_S)),
        within_s=_WITHIN_S,
        what="Pgpool-II to take the command",
    )
    if "Command Successful" not in completed.output:
        raise NotBroughtBack(completed.output.strip())
    return time.monotonic()


def start_and_attach(cluster: Cluster, primary: Server, node: Server) -> float:
    """Start the server over ssh and attach the node: the least that can be done by hand."""
    start = shlex.join(map(str, node.layout.start_argv()))
    node_id = str(node.node_id)
    started = primary.machine.run(["ssh", "-o", "BatchMode=yes", node.machine.name, start])
    attached = cluster.pgpool.pcp("pcp_attach_node", "-n", node_id, timeout_s=_WITHIN_S)
    if "Command Successful" not in attached.output:
        raise NotBroughtBack(started.output + attached.output)
    return time.monotonic()


def _unless_busy(completed: Completed) -> Completed | None:
    """Return None when Pgpool-II asks to try again, as it does right after a failover."""
    return None if "PCP request at the moment" in completed.output else completed


def _base_backup(_cluster: Cluster, primary: Server, node: Server) -> float:
    node.remove_data()
    source = primary.conninfo(REPLICATION_USER, application_name=node.name)
    fast = ["-w", "-d", source, "-X", "stream", "-c", "fast", "-R"]
    return _run_and_start(node, "pg_basebackup", "-D", str(node.data_directory), *fast)


def rewind(_cluster: Cluster, primary: Server, node: Server) -> float:
    """Rewind with pg_rewind only, and start the server."""
    source = primary.conninfo(dbname="postgres")
    options = ["--target-pgdata", str(node.data_directory), "--source-server", source, "-R"]
    return _run_and_start(node, "pg_rewind", *options)


def _run_and_start(node: Server, program: str, *arguments: str) -> float:
    argv = [node.installation.program(program), *arguments]
    completed = node.machine.run(argv, timeout_s=_WITHIN_S, check=False)
    ended_at = time.monotonic()
    if completed.returncode != 0:
        raise NotBroughtBack(completed.output.strip())
    use_no_slot(node)  # The setting was copied if the source once was a standby.
    node.start()
    return ended_at


def use_no_slot(node: Server) -> None:
    """Let a node that is down follow without a slot, where whatever made it a standby said so."""
    configuration = node.machine.path(node.data_directory / "postgresql.auto.conf")
    with configuration.open("a") as file:
        file.write("primary_slot_name = ''\n")


CONTENDERS = (
    Contender("ours", _install_ours, recover),
    Contender("stock", partial(_install_stock, spread_checkpoint=True), recover),
    Contender("stock, fast", partial(_install_stock, spread_checkpoint=False), recover),
    Contender("pg_basebackup", _nothing, _base_backup),
    Contender("pg_rewind", _nothing, rewind, lambda situation: situation.has_diverged),
)
