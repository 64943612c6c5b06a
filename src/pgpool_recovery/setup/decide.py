"""Decide what a cluster lacks for recoveries: from facts only, nothing is asked here."""

from collections.abc import Iterator

from pgpool_recovery.domain.record import replace
from pgpool_recovery.setup.extension import extension
from pgpool_recovery.setup.facts import ABSENT, STAGE_COMMANDS, ClusterState, HostState
from pgpool_recovery.setup.include import include
from pgpool_recovery.setup.methods import methods
from pgpool_recovery.setup.need import Advice, Item
from pgpool_recovery.setup.packages import packages
from pgpool_recovery.setup.pool import pool_items
from pgpool_recovery.setup.replication import replication
from pgpool_recovery.setup.stage import stage_commands
from pgpool_recovery.setup.trust import trust


def decide(around: ClusterState) -> tuple[Item, ...]:
    """Return what each host has, what it lacks, and what is left to the user."""
    return (
        *(item for host in around.hosts for item in _of_host(host, around)),
        *replication(around),
        *extension(around),
        *pool_items(around),
    )


def _of_host(host: HostState, around: ClusterState) -> Iterator[Item]:
    if host.problem is not None:
        yield Advice(
            host.name,
            "access",
            f"it could not be examined: {host.problem}",
            "Allow root, or an operator with sudo and no password there, to log in by ssh "
            "(--ssh-user), and run setup again.",
            is_needed=True,
        )
        host = assumed(host, around)
    yield from packages(host, around)
    yield from stage_commands(host)
    if host.problem is not None:
        return
    yield from include(host, around)
    yield from trust(host, around)
    yield from methods(host)


def assumed(host: HostState, around: ClusterState) -> HostState:
    """Return a host that could not be examined, as if it lacked everything.

    What it may lack is written as a script, which itself tests what is there.
    """
    alike = next((one for one in around.hosts if one.problem is None), None)
    nodes = tuple(
        replace(node, state="stopped", scripts=dict.fromkeys(STAGE_COMMANDS, ABSENT))
        for node in host.nodes
    )
    return replace(host, nodes=nodes, manager=around.manager if alike is None else alike.manager)
