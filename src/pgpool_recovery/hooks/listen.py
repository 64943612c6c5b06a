"""Find out whether a primary that does not answer us is alive: its standbys still hear from it.

In that case it is this host that is cut off, and a promotion would create a second primary. An idle
primary may send nothing that could be heard, so silence proves nothing.
"""

import time

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import replace
from pgpool_recovery.hooks.call import Call
from pgpool_recovery.hooks.observe import Known, View, look, standing_of
from pgpool_recovery.hooks.scene import Scene, hears_primary, lives_for
from pgpool_recovery.log.note import waits

LISTEN_EVERY_S = 0.5
QUIET_FOR_S = 3.0
"""After this long without a sign of life a primary is gone: what had arrived has been read."""
HEARD_FOR_S = 8.0


@waits("a sign of life of the old primary")
def listen_for(old: NodeId, call: Call, nodes: Known, view: View) -> tuple[str | None, View]:
    """Return the sign of life of a silent primary, None if there is none, and the latest view.

    This takes no time where the standbys know that their stream has ended, as they do when the
    server was stopped or killed.
    """
    others = frozenset(node.address for node in nodes.cluster.nodes if node.node_id != old)
    listeners = [node for node, one in view.scene.standings.items() if hears_primary(one, others)]
    began = quiet_since = time.monotonic()
    heard: list[NodeId] = []
    while listeners and time.monotonic() - quiet_since < QUIET_FOR_S:
        time.sleep(LISTEN_EVERY_S)
        now = _asked_again(listeners, view)
        heard = lives_for(others, view.scene, now)
        view = replace(view, scene=now)
        if heard:
            quiet_since = time.monotonic()
        if quiet_since - began > HEARD_FOR_S:
            return _last_try(old, call, nodes, view, heard)
    return None, view


def _asked_again(listeners: list[NodeId], view: View) -> Scene:
    standings = dict(view.scene.standings)
    for node_id in listeners:
        node = view.cluster.node(node_id)
        answer = standing_of(node, view.login(node))
        if not isinstance(answer, Unreachable):
            standings[node_id] = answer[0]
    return replace(view.scene, standings=standings)


def _last_try(
    old: NodeId, call: Call, nodes: Known, view: View, heard: list[NodeId]
) -> tuple[str | None, View]:
    """Query the primary once more; when it answers, the decision is a different one."""
    again = look(call, nodes, connect_s=view.cluster.login.connect_s)
    if old in again.scene.standings:
        return None, again
    names = " and ".join(f"node {node}" for node in heard)
    sign = (
        f"It still sends WAL to {names}. This host cannot connect to it and therefore cannot stop "
        f"it: {again.scene.silent.get(old)}."
    )
    return sign, again
