"""Let Pgpool-II end a failover or a failback before it is asked for what takes long."""

import time
from collections.abc import Sequence

from pgpool_recovery.log.note import waits
from pgpool_recovery.pcp.client.node_info import NodeInfo

SETTLED_AFTER_S = 4.0


@waits("the failover to settle")
def let_failover_end(infos: Sequence[NodeInfo]) -> None:
    """Wait a moment when a node has changed its status just now.

    Pgpool-II starts its PCP process anew at the end of a failover, and waits for all requests then
    (up to 4.4): one for a recovery, made before that, would keep it from answering anybody, and
    from the next failover, until the recovery has ended. One that waits for the clients to leave
    may never hear that they have (seen with 4.6). A clock that differs makes this wait no longer.
    """
    changes = [info.status_changed_at for info in infos if info.status_changed_at]
    age_s = time.time() - max(changes, default=0)
    if 0 <= age_s < SETTLED_AFTER_S:
        time.sleep(SETTLED_AFTER_S - age_s)
