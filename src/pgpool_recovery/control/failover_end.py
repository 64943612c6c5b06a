"""Let a failover or failback end before Pgpool-II is asked for something that takes long."""

import time
from collections.abc import Sequence

from pgpool_recovery.log.note import waits
from pgpool_recovery.pcp.client.node_info import NodeInfo

SETTLED_AFTER_S = 4.0


@waits("the failover to settle")
def let_failover_end(infos: Sequence[NodeInfo]) -> None:
    """Wait a moment if a node has just changed its status.

    At the end of a failover Pgpool-II restarts its PCP process, and up to 4.4 it waits for all
    requests before that. A recovery that was requested earlier would keep Pgpool-II from answering
    anyone, and from the next failover, until the recovery has ended. A request that waits for the
    clients to disconnect may never notice that they have (seen with 4.6). If the clocks of the
    hosts differ, this does not wait longer.
    """
    changes = [info.status_changed_at for info in infos if info.status_changed_at]
    age_s = time.time() - max(changes, default=0)
    if 0 <= age_s < SETTLED_AFTER_S:
        time.sleep(SETTLED_AFTER_S - age_s)
