"""Recover nodes: show what it would do, ask, have it done, see that the node is back."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import RecoveryError, Refused
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.operator.cause import cause
from pgpool_recovery.operator.cluster import Cluster, Node, cluster_of_pool, cluster_of_settings
from pgpool_recovery.operator.event import POOL, PRIMARY, Asked, Outcome, PlanRead, Remarked, Said
from pgpool_recovery.operator.extension import Feature, look_at
from pgpool_recovery.operator.failover_end import let_failover_end
from pgpool_recovery.operator.follower import Follower
from pgpool_recovery.operator.interrupted import interruption_of
from pgpool_recovery.operator.job import Desk, Job
from pgpool_recovery.operator.leftover_slots import drop_leftover_slots
from pgpool_recovery.operator.plan import PlannedRecovery, read_plan
from pgpool_recovery.operator.pool_file import refuse_other_place
from pgpool_recovery.operator.primary import find_primary
from pgpool_recovery.operator.record import Run
from pgpool_recovery.operator.runner import choose_runner
from pgpool_recovery.operator.standby import wait_for_stream
from pgpool_recovery.operator.way import refuse_way
from pgpool_recovery.pcp.pool import ATTACHED, Pool

LOOK_EVERY_S = 0.5
DOWN = "down"


def nodes_down(pool: Pool, settings: Settings) -> list[NodeId]:
    """Return the nodes that Pgpool-II has detached and does not hold in quarantine."""
    cluster = cluster_of_pool(pool, settings)
    return [NodeId(info.node_id) for info in cluster.infos if info.status == DOWN]


def recover_nodes(
    node_ids: Sequence[NodeId], pool: Pool | None, settings: Settings, desk: Desk
) -> list[Outcome]:
    """Recover nodes one after the other; one that fails does not keep the others from it."""
    return [_outcome(node_id, pool, settings, desk) for node_id in node_ids]


def _outcome(node_id: NodeId, pool: Pool | None, settings: Settings, desk: Desk) -> Outcome:
    began = time.monotonic()
    try:
        outcome = recover_node(_job(node_id, pool, settings, desk), desk)
    except RecoveryError as error:
        name = f"node {node_id}"
        failure = error.about(name)
        outcome = Outcome(node_id, name, time.monotonic() - began, failure)
    desk.tell(outcome)
    return outcome


def _job(node_id: NodeId, pool: Pool | None, settings: Settings, desk: Desk) -> Job:
    """Look at the cluster anew: the primary may be another one since the last node."""
    mode = settings.pgpool.backend_clustering_mode
    if pool is None and mode.has_second_stage:
        raise Refused(
            f"a recovery in {mode} mode cannot do without Pgpool-II",
            detail="It has to hold back the clients during the second stage.",
        )
    cluster = cluster_of_settings(settings) if pool is None else cluster_of_pool(pool, settings)
    node = cluster.node(node_id)
    _refuse_attached(cluster, node)
    refuse_other_place(cluster, node)
    let_failover_end(cluster.infos)
    primary = find_primary(cluster)
    if primary == node:
        raise Refused(
            f"{node.name} is the primary",
            hint="Only a standby can be recovered; promote another node first.",
        )
    found = look_at(primary, cluster.login)
    runner = choose_runner(cluster, found)
    if runner.remark is not None:
        desk.tell(Remarked(runner.remark, node_id))
    return Job(node, cluster, found, pool, settings, runner.by_sql)


def recover_node(job: Job, desk: Desk) -> Outcome:
    """Recover one node; what fails is raised with its true cause."""
    began = time.monotonic()
    if job.pool is not None:
        refuse_way(job.primary, job.cluster, by_sql=job.by_sql)
    plan = show_plan(job, desk)
    desk.consent(job.node, plan)
    with following(job, desk) as follower:
        run = carry_out(job, follower, desk)
    verify(job)
    if job.cluster.has_standbys:
        _tidy_up(job, desk)
    return Outcome(
        job.node.node_id,
        job.node.name,
        time.monotonic() - began,
        run_id=None if run is None else run.id,
        method=run.method if run is not None else _method(plan),
        moved_bytes=None if run is None else run.moved_bytes,
        is_attached=job.pool is not None,
        is_streaming=job.cluster.has_standbys,
    )


def show_plan(job: Job, desk: Desk) -> PlannedRecovery | None:
    """Tell the plan; None, and why, when the primary cannot make one, as with a user's own stages.

    Raises the reasons when no recovery is possible.
    """
    try:
        plan = read_plan(job.primary, job.node, within_s=job.settings.pgpool.plan_s)
    except RecoveryError as error:
        desk.tell(Remarked(f"there is no plan: {_sentence(error)}", job.node.node_id))
        return None
    if not plan.is_possible:
        raise plan.refusal()
    if interruption := interruption_of(job.primary, job.node):
        desk.tell(Remarked(interruption, job.node.node_id))
    desk.tell(PlanRead(job.node.node_id, plan))
    return plan


@contextmanager
def following(job: Job, desk: Desk) -> Iterator[Follower | None]:
    """Be ready to follow the recovery on record; None, and why, when nothing is put on record."""
    if not job.primary.has(Feature.HISTORY):
        desk.tell(Remarked(_sentence(job.primary.lacks(Feature.HISTORY)), job.node.node_id))
        yield None
        return
    with Follower(job.primary, desk.tell, node=job.node) as follower:
        yield follower


def carry_out(job: Job, follower: Follower | None, desk: Desk) -> Run | None:
    """Have it done and follow it; return what is on record of it. Raises the cause of a failure."""
    node_id = job.node.node_id
    running = job.running()
    running.start()
    desk.tell(Asked(node_id, POOL if job.is_run_by_pool else PRIMARY, follower is not None))
    has_ended = False
    while not has_ended:
        has_ended = running.has_ended(within_s=LOOK_EVERY_S)
        for line in running.lines():
            desk.tell(Said(node_id, line))
        if follower is not None:
            follower.look()
    try:
        running.result()  # no limit: it has ended
    except RecoveryError as error:
        raise cause(error, follower, job) from error
    return None if follower is None else follower.ended_run()


def verify(job: Job) -> None:
    """See that the pool uses the node, and that the primary sees it stream."""
    settings = job.settings
    if job.pool is not None:
        job.pool.wait_for(job.node.node_id, ATTACHED, within_s=settings.pgpool.change_s)
    if job.cluster.has_standbys:
        within_s = settings.timeout.streaming_s
        wait_for_stream(job.cluster, job.primary.node, job.node, within_s=within_s)


def _tidy_up(job: Job, desk: Desk) -> None:
    def say(sentence: str) -> None:
        desk.tell(Remarked(sentence, job.node.node_id))

    drop_leftover_slots(job.node, job.cluster.login, say)


def _refuse_attached(cluster: Cluster, node: Node) -> None:
    info = cluster.info(node.node_id)
    if info is not None and info.is_attached:
        raise Refused(
            f"{node.name} is {info.status} in Pgpool-II",
            detail="Pgpool-II recovers only nodes that it has detached.",
            hint=f"If the node does not work, wait until Pgpool-II has noticed it, or take it out "
            f'with "pgpool-recovery detach {node.node_id}".',
        )


def _method(plan: PlannedRecovery | None) -> str | None:
    return None if plan is None else plan.document.get("method")


def _sentence(error: RecoveryError) -> str:
    detail = f" ({' '.join(error.detail.split())})" if error.detail else ""
    return f"{error.message}{detail}" + (f" {error.hint}" if error.hint else "")
