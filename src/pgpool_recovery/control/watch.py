"""Watch running recoveries until they end, no matter who started them."""

import math
import time
from collections.abc import Iterable
from contextlib import ExitStack

from pgpool_recovery.control.cluster import Cluster
from pgpool_recovery.control.event import Outcome, Tell
from pgpool_recovery.control.extension import Feature, Primary, look_at
from pgpool_recovery.control.follower import Follower
from pgpool_recovery.control.primary import find_primary
from pgpool_recovery.control.record import (
    COPIED,
    INTERRUPTED,
    RecordedRun,
    RecordReader,
    RunProgress,
)
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.domain.node import NodeId

LOOK_EVERY_S = 0.5
PATIENCE_S = {COPIED: 120.0, INTERRUPTED: 10.0}
"""How long these states may last before the run counts as ended. Pgpool-II requests the start at
once, or after the second stage if there is one. A runner that has lost its connection for the
record reconnects."""


def primary_of(cluster: Cluster) -> Primary:
    """Return the primary, and what its extension provides."""
    return look_at(find_primary(cluster), cluster.login)


def running(primary: Primary, node_id: NodeId | None = None) -> list[RunProgress]:
    """Return the recoveries that have not ended: all, or those of one node.

    Raises Refused if recoveries are not recorded there.
    """
    with primary.connect(Feature.HISTORY) as connection:
        found = RecordReader(connection).progress()
    return [one for one in found if node_id is None or one.node_id == node_id]


def watch(
    primary: Primary, tell: Tell, *, node_id: NodeId | None = None, within_s: float
) -> list[Outcome]:
    """Watch the recoveries that are running now, and return how they ended.

    They are watched until none has made progress for `within_s`.
    """
    with ExitStack() as stack:
        followers = {
            one.id: stack.enter_context(Follower(primary, tell, run_id=one.id, node_id=one.node_id))
            for one in running(primary, node_id)
        }
        outcomes: list[Outcome] = []
        since: dict[tuple[int, str], float] = {}
        while followers:
            for run_id, run in _ended(followers.items(), since):
                followers.pop(run_id)
                outcome = outcome_of(run)
                tell(outcome)
                outcomes.append(outcome)
            got_on_at = max((one.got_on_at for one in followers.values()), default=time.monotonic())
            if time.monotonic() - got_on_at > within_s:
                raise Unreachable(
                    f"{len(followers)} recoveries have made no progress for {within_s:g} seconds",
                    hint="They continue. recovery_s in the settings limits how long to watch.",
                )
            time.sleep(LOOK_EVERY_S if followers else 0)
        return outcomes


def outcome_of(run: RecordedRun) -> Outcome:
    """Return how a recorded run ended."""
    return Outcome(
        None if run.node_id is None else NodeId(run.node_id),
        run.name,
        run.duration_s or 0.0,
        run.failure(),
        run.id,
        run.method,
        run.moved_bytes,
    )


def _ended(
    followers: Iterable[tuple[int, Follower]], since: dict[tuple[int, str], float]
) -> list[tuple[int, RecordedRun]]:
    """Return the runs that have ended, or that seem to have been abandoned."""
    found = []
    for run_id, follower in followers:
        follower.look()
        run = follower.run()
        if run is None:
            continue
        now = time.monotonic()
        waited_s = now - since.setdefault((run_id, run.state), now)
        is_over = run.has_ended and run.state not in PATIENCE_S
        if is_over or waited_s > PATIENCE_S.get(run.state, math.inf):
            found.append((run_id, run))
    return found
