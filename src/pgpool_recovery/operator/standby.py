"""Whether a node streams from the primary, as both of them say it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pgpool_recovery.domain.error import Unverified
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.operator.cluster import Cluster, Node, connect_to
from pgpool_recovery.operator.primary import Answer, ask

STREAMING = "streaming"
ASK_EVERY_S = 0.3


def stream_of(
    node: Node, answer: Answer, streams: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the row of pg_stat_replication that is a node's: by its slot, then by its name.

    The slot that a recovery makes is the node's own. A standby that somebody else made says itself
    by which slot, and under which name, it streams.
    """
    facts = answer.facts or {}
    slots = {node.slot_name, facts.get("slot_name")} - {None}
    for stream in streams:
        if stream["slot_name"] is not None and stream["slot_name"] in slots:
            return stream
    if facts.get("receiver") != STREAMING or facts.get("slot_name") is not None:
        return None
    named = [one for one in streams if one["application_name"] == facts["application_name"]]
    return named[0] if len(named) == 1 else None


def wait_for_stream(cluster: Cluster, primary: Node, node: Node, *, within_s: float) -> None:
    """Wait until the primary sees the node stream; Unverified otherwise."""
    deadline = time.monotonic() + within_s
    with connect_to(primary, cluster.login) as connection:
        while True:
            answer = ask(cluster, node)
            stream = stream_of(node, answer, connection.rows("standbys"))
            if stream is not None and stream["state"] == STREAMING:
                return
            if time.monotonic() > deadline:
                raise _does_not_stream(primary, node, answer, stream, within_s)
            time.sleep(ASK_EVERY_S)


def _does_not_stream(
    primary: Node,
    node: Node,
    answer: Answer,
    stream: Mapping[str, Any] | None,
    within_s: float,
) -> Unverified:
    if answer.failure is not None:
        seen = f"{answer.failure.message}: {answer.failure.detail}"
    elif answer.is_primary:
        seen = "It accepts writes, as a primary of its own."
    elif stream is not None:
        seen = f'Its state in pg_stat_replication is "{stream["state"]}".'
    else:
        seen = "It is a standby that no row of pg_stat_replication belongs to."
    return Unverified(
        f"{node.name} does not stream from {primary.name}",
        detail=f"After {within_s:g} seconds: {seen}",
        hint="Look at its log, and at primary_conninfo and primary_slot_name as SHOW gives them "
        "there.",
        target=TargetState.STARTED,
    )
