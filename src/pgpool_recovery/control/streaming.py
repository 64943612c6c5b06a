"""Find out whether a node streams from the primary, by what both of them report."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pgpool_recovery.control.cluster import Cluster, Node, connect_to
from pgpool_recovery.control.primary import ServerAnswer, ask
from pgpool_recovery.domain.error import Unverified
from pgpool_recovery.domain.standby import STREAMING, Fault, StandbyFacts, Trouble, judge
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Lsn, parse_lsn
from pgpool_recovery.log.note import waits
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.standby import read_upstream

ASK_EVERY_S = 0.3
LOOK = "Check its log, and primary_conninfo and primary_slot_name as SHOW reports them there."
NO_ROW = "It is a standby, but no row of pg_stat_replication belongs to it."
STOP_IT = "Keep clients away from it: detach it, stop its server, and recover the node again."


def stream_of(
    node: Node, answer: ServerAnswer, streams: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return a node's row of pg_stat_replication, found by its slot, or else by its name.

    The slot that a recovery creates is the node's own. A standby that was set up by other means
    reports itself which slot and which application_name it uses.
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


def trouble_of(
    connection: Connection, primary: Node, answer: ServerAnswer, position: Lsn | None = None
) -> Trouble | None:
    """Return why a node is not a sound standby of the primary; None if it is.

    The primary is queried after the node, so its position is the newer one. With a `position` of
    the primary, the node must have replayed that (see `judge`).
    """
    if answer.is_primary:
        said = StandbyFacts(is_in_recovery=False)
    elif answer.standby is None:
        return Trouble(Fault.NOT_STREAMING, f"does not stream from {primary.name}")
    else:
        said = answer.standby
    own = said.slot_name or said.wanted_slot or answer.node.slot_name
    upstream = read_upstream(connection, primary.name, {own}, said.application_name)
    return judge(said, upstream, position)


@waits("the node to stream")
def wait_for_stream(cluster: Cluster, primary: Node, node: Node, *, within_s: float) -> None:
    """Wait until the node is a standby of the primary and replays what the primary writes.

    Raises Unverified otherwise, at once if waiting cannot fix the problem.
    """
    deadline = time.monotonic() + within_s
    position: Lsn | None = None
    with connect_to(primary, cluster.login) as connection:
        while True:
            answer = ask(cluster, node)
            trouble = None if answer.failure else trouble_of(connection, primary, answer, position)
            if answer.failure is None and trouble is None:
                if position is not None:
                    return
                connection.rows("wake_standbys")
                position = parse_lsn(connection.row("upstream")["written"])
                continue
            if time.monotonic() > deadline or (trouble is not None and trouble.fault.is_final):
                raise _not_sound(primary, node, answer, trouble, within_s)
            time.sleep(ASK_EVERY_S)


def _not_sound(
    primary: Node, node: Node, answer: ServerAnswer, trouble: Trouble | None, within_s: float
) -> Unverified:
    what, seen, hint = f"does not stream from {primary.name}", "", LOOK
    if answer.failure is not None:
        seen = f"After {within_s:g} seconds: {answer.failure.in_a_line}"
    elif trouble is not None:
        what, seen = trouble.what, trouble.detail or NO_ROW
        hint = STOP_IT if trouble.fault.is_wrong_data else trouble.hint or LOOK
    return Unverified(f"{node.name} {what}", detail=seen, hint=hint, target=TargetState.STARTED)
