"""Advise on what the methods need that move only what changed; nothing of it is changed here."""

from collections.abc import Iterator

from pgpool_recovery.setup.facts import HostState, NodeState
from pgpool_recovery.setup.need import Advice, Item

SUMMARIES_SINCE = 17


def methods(host: HostState) -> Iterator[Item]:
    """Yield, for each running node, which methods its settings rule out."""
    for node in host.nodes:
        if node.state == "unknown" and node.problem is not None:
            yield Advice(
                host.name,
                "server",
                f"{node.backend.name} could not be examined: {node.problem}",
                "Correct the owner of the data directory, or backend_data_directory"
                f"{node.backend.node_id} in pgpool.conf.",
                is_needed=True,
            )
        elif node.state == "running" and node.problem is not None:
            yield Advice(
                host.name,
                "server",
                f"the server of {node.backend.name} admits no superuser over its socket: "
                f"{node.problem}",
                f"pg_hba.conf must have: local all {node.owner} peer",
                is_needed=True,
            )
        elif node.state == "running":
            yield from _methods(host, node)


def _methods(host: HostState, node: NodeState) -> Iterator[Advice]:
    off = {name for name, value in node.settings.items() if value == "off"}
    if {"wal_log_hints", "data_checksums"} <= off:
        yield Advice(
            host.name,
            "rewind",
            f"{node.backend.name} has neither wal_log_hints nor data checksums, so a former "
            "primary cannot be rewound",
            "Set wal_log_hints = on, and restart the server when it suits you.",
        )
    if node.major is not None and node.major >= SUMMARIES_SINCE and "summarize_wal" in off:
        yield Advice(
            host.name,
            "incremental",
            f"{node.backend.name} keeps no WAL summaries, so changed blocks cannot be determined",
            "Set summarize_wal = on, and reload the server.",
        )
