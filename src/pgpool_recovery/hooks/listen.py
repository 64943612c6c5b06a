"""Whether a primary that does not answer us lives all the same: its standbys hear from it.

Then it is this host that is cut off from it, and a second primary would be made. What an idle
primary does not send cannot be heard, so that silence proves nothing.
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
"""How long nothing is heard of a primary that is gone: what had arrived is read by then."""
HEARD_FOR_S = 8.0


@waits("a sign of life of the old primary")
def listen_for(old: NodeId, call: Call, nodes: Known, view: View) -> tuple[str | None, View]:
    """Return the sign of life of a primary that is silent, None without, and the latest view.

    Costs nothing where the standbys know that their stream has ended, as of a server that was
    stopped or killed.
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
    """Ask the primary once more; with its answer the decision is another one."""
    again = look(call, nodes, connect_s=view.cluster.login.connect_s)
    if old in again.scene.standings:
        return None, again
    names = " and ".join(f"node {node}" for node in heard)
    sign = (
        f"Who still receives WAL from it: {names}. It does not let this host in, which so cannot "
        f"stop it: {again.scene.silent.get(old)}."
    )
    return sign, again
