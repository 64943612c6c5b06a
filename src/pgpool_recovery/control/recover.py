"""Recover nodes: show the plan, ask, have it carried out, and check that the node is back."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.cause import cause
from pgpool_recovery.control.cluster import Cluster, Node, cluster_of_pool, cluster_of_settings
from pgpool_recovery.control.consent import agree
from pgpool_recovery.control.event import (
    POOL,
    PRIMARY,
    Asked,
    NodeSaid,
    Outcome,
    PlanRead,
    Remarked,
)
from pgpool_recovery.control.extension import Feature, look_at
from pgpool_recovery.control.failover_end import let_failover_end
from pgpool_recovery.control.follower import Follower
from pgpool_recovery.control.interrupted import interruption_of
from pgpool_recovery.control.job import Desk, Job
from pgpool_recovery.control.keeper import HELD_BEHIND_CHECKPOINT_S, HELD_S, Keeper
from pgpool_recovery.control.leftover_slots import drop_leftover_slots
from pgpool_recovery.control.plan import PlannedRecovery, read_plan, why_no_plan
from pgpool_recovery.control.pool_file import refuse_other_place
from pgpool_recovery.control.preflight import refuse_way
from pgpool_recovery.control.primary import find_primary
from pgpool_recovery.control.queue import wait_for_turn
from pgpool_recovery.control.record import RECOVERED, RecordedRun
from pgpool_recovery.control.runner import choose_runner
from pgpool_recovery.control.streaming import wait_for_stream
from pgpool_recovery.control.watch import outcome_of
from pgpool_recovery.control.whereabouts import was_elsewhere
from pgpool_recovery.domain.error import Denied, RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.pcp.pool import ATTACHED, Pool
from pgpool_recovery.plan.document import PlanDocument
from pgpool_recovery.plan.harm import Harm

LOOK_EVERY_S = 0.5
MAX_QUESTIONS = 5
"""How often a person is asked at most, if the recovery turns out to need more each time."""
DOWN = "down"


def nodes_down(pool: Pool, settings: Settings) -> list[NodeId]:
    """Return the nodes that Pgpool-II has detached, without those that it holds in quarantine."""
    cluster = cluster_of_pool(pool, settings)
    return [NodeId(info.node_id) for info in cluster.infos if info.status == DOWN]


def recover_nodes(
    node_ids: Sequence[NodeId], pool: Pool | None, settings: Settings, desk: Desk
) -> list[Outcome]:
    """Recover nodes one after another; the failure of one does not affect the others."""
    return [_outcome(node_id, pool, settings, desk) for node_id in node_ids]


def _outcome(node_id: NodeId, pool: Pool | None, settings: Settings, desk: Desk) -> Outcome:
    began = time.monotonic()
    try:
        outcome = _in_turn(node_id, pool, settings, desk)
    except RecoveryError as error:
        name = f"node {node_id}"
        failure = error.about(name)
        outcome = Outcome(node_id, name, time.monotonic() - began, failure)
    desk.tell(outcome)
    return outcome


def _in_turn(node_id: NodeId, pool: Pool | None, settings: Settings, desk: Desk) -> Outcome:
    """Recover a node, or wait for a recovery of it that is running, and do what is left to do."""
    job = job_in_turn(node_id, pool, settings, desk)
    return job if isinstance(job, Outcome) else recover_node(job, desk)


def job_in_turn(
    node_id: NodeId, pool: Pool | None, settings: Settings, desk: Desk
) -> Job | Outcome:
    """Return the job for a node, or the outcome of a recovery of it that was waited for."""
    job = _job(node_id, pool, settings, desk)
    run = wait_for_turn(
        job.primary,
        job.node,
        lambda line: desk.tell(Remarked(line, node_id)),
        waits=desk.waits,
        within_s=settings.pgpool.recovery_s,
    )
    if run is None:
        return job
    if run.state != RECOVERED:
        return _job(node_id, pool, settings, desk)
    verify(job)
    return replace(
        outcome_of(run), is_attached=job.pool is not None, is_streaming=job.cluster.has_standbys
    )


def _job(node_id: NodeId, pool: Pool | None, settings: Settings, desk: Desk) -> Job:
    """Return the job for a node, in the cluster as it is now: the primary may have changed."""
    mode = settings.pgpool.backend_clustering_mode
    if pool is None and mode.has_second_stage:
        raise Refused(
            f"a recovery in {mode} mode needs Pgpool-II",
            detail="Pgpool-II has to hold back the clients during the second stage.",
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
    """Recover one node; raises a failure with its actual cause."""
    began = time.monotonic()
    if job.pool is not None:
        refuse_way(job.primary, job.cluster, by_sql=job.by_sql)
    with keeping(job) as keeper:
        plan = show_plan(job, desk)
        elsewhere = None if plan is None else was_elsewhere(job.primary, job.node)
        run = _run_as_agreed(job, desk, plan, keeper, elsewhere)
    verify(job)
    if job.cluster.has_standbys:
        tidy_up(job, desk)
    return outcome_of_run(job, plan, run, time.monotonic() - began)


def outcome_of_run(
    job: Job, plan: PlannedRecovery | None, run: RecordedRun | None, seconds: float
) -> Outcome:
    """Return the outcome of a recovery that was verified."""
    return Outcome(
        job.node.node_id,
        job.node.name,
        seconds,
        run_id=None if run is None else run.id,
        method=run.method if run is not None else _method(plan),
        moved_bytes=None if run is None else run.moved_bytes,
        is_attached=job.pool is not None,
        is_streaming=job.cluster.has_standbys,
    )


def _run_as_agreed(
    job: Job,
    desk: Desk,
    plan: PlannedRecovery | None,
    keeper: Keeper | None,
    elsewhere: str | None,
) -> RecordedRun | None:
    """Ask, run the recovery, and ask again if it turns out that more is needed.

    An answer never changes a run that has already started: each answer starts a new run.
    """
    for number in range(MAX_QUESTIONS):
        agreed = agree(
            job.node,
            plan,
            desk.ask,
            desk.at_most if number == 0 else None,
            elsewhere=elsewhere if number == 0 else None,
            is_again=number > 0,
            is_own_stage=job.is_own_stage,
        )
        if keeper is not None and agreed is not None and job.is_run_by_pool:
            keeper.agree(agreed)
        with following(job, desk) as follower:
            try:
                if keeper is not None:
                    keeper.is_sent = True
                return carry_out(job, follower, desk, agreed)
            except Refused as error:
                needed = None if follower is None else follower.needed
                is_last = number + 1 == MAX_QUESTIONS
                if needed is None or agreed is None or is_last or not desk.is_there:
                    raise
                desk.tell(Remarked(sentence_of(error.about(job.node.name)), job.node.node_id))
        plan = PlannedRecovery(job.node, PlanDocument({"possible": True, "binds": True, **needed}))
        desk.tell(PlanRead(job.node.node_id, plan))
    raise AssertionError("the last round returns or raises")


@contextmanager
def keeping(job: Job) -> Iterator[Keeper | None]:
    """Be ready to tell the primary what is agreed to; None if it would not understand that."""
    if not job.primary.has(Feature.PLAN):
        yield None
        return
    held_s = HELD_S if job.cluster.has_standbys else HELD_BEHIND_CHECKPOINT_S
    with Keeper(job.primary, job.node, held_s=held_s) as keeper:
        yield keeper


def show_plan(job: Job, desk: Desk) -> PlannedRecovery | None:
    """Report the plan and return it; if none can be made, report why and return None.

    That is so with the stock extension, with a user's own stages, and for a role that may not ask
    for a plan although Pgpool-II's role may recover. Raises the reasons if no recovery is possible,
    and the failure if making a plan failed otherwise.
    """
    if why := why_no_plan(job.primary):
        desk.tell(Remarked(f"there is no plan: {why}", job.node.node_id))
        return None
    try:
        plan = read_plan(job.primary, job.node, within_s=job.settings.pgpool.plan_s).now
    except Denied as denied:  # Pgpool-II's role may still be allowed to recover.
        desk.tell(Remarked(f"there is no plan: {sentence_of(denied)}", job.node.node_id))
        return None
    if not plan.document.is_possible:
        raise plan.refusal()
    if interruption := interruption_of(job.primary, job.node):
        desk.tell(Remarked(interruption, job.node.node_id))
    desk.tell(PlanRead(job.node.node_id, plan))
    return plan


@contextmanager
def following(job: Job, desk: Desk) -> Iterator[Follower | None]:
    """Be ready to follow the recovery's record; if there is none, report why and yield None."""
    if not job.primary.has(Feature.HISTORY):
        desk.tell(Remarked(sentence_of(job.primary.lacks(Feature.HISTORY)), job.node.node_id))
        yield None
        return
    with Follower(job.primary, desk.tell, node=job.node) as follower:
        yield follower


def carry_out(
    job: Job, follower: Follower | None, desk: Desk, agreed: Harm | None = None
) -> RecordedRun | None:
    """Have the recovery run and follow it; return its record. Raises the cause of a failure."""
    node_id = job.node.node_id
    running = job.running(agreed)
    running.start()
    desk.tell(Asked(node_id, POOL if job.is_run_by_pool else PRIMARY, follower is not None))
    has_ended, got_on_at, limit_s = False, time.monotonic(), job.settings.pgpool.recovery_s
    while not has_ended:
        has_ended = running.has_ended(within_s=LOOK_EVERY_S)
        for line in running.lines():
            desk.tell(NodeSaid(node_id, line))
            got_on_at = time.monotonic()
        if follower is not None:
            follower.look()
            got_on_at = max(got_on_at, follower.got_on_at)
        if not has_ended and time.monotonic() - got_on_at > limit_s:
            raise Unreachable(
                f"the recovery of {job.node.name} has made no progress for {limit_s:g} seconds",
                hint="It continues. recovery_s in the settings limits how long to wait.",
                target=TargetState.UNKNOWN,
            )
    try:
        running.result()  # no limit: it has ended
    except RecoveryError as error:
        raise cause(error, follower, job) from error
    return None if follower is None else follower.ended_run()


def verify(job: Job) -> None:
    """Check that the pool uses the node, and that the primary sees it streaming."""
    settings = job.settings
    if job.pool is not None:
        job.pool.wait_for(job.node.node_id, ATTACHED, within_s=settings.pgpool.change_s)
    if job.cluster.has_standbys:
        within_s = settings.timeout.streaming_s
        wait_for_stream(job.cluster, job.primary.node, job.node, within_s=within_s)


def tidy_up(job: Job, desk: Desk) -> None:
    """Drop the slots that the node no longer needs."""

    def say(sentence: str) -> None:
        desk.tell(Remarked(sentence, job.node.node_id))

    drop_leftover_slots(job.node, job.cluster.login, say)


def _refuse_attached(cluster: Cluster, node: Node) -> None:
    info = cluster.info(node.node_id)
    if info is not None and info.is_attached:
        raise Refused(
            f"{node.name} is {info.status} in Pgpool-II",
            detail="Pgpool-II recovers only nodes that it has detached.",
            hint="If the node does not work, wait until Pgpool-II has noticed that, or detach it "
            f'with "pgpool-recovery detach {node.node_id}".',
        )


def _method(plan: PlannedRecovery | None) -> str | None:
    return None if plan is None else plan.document.method


def sentence_of(error: RecoveryError) -> str:
    """Return a failure as one sentence."""
    detail = f" ({' '.join(error.detail.split())})" if error.detail else ""
    return f"{error.message}{detail}" + (f" {error.hint}" if error.hint else "")
