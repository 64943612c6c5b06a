"""Recover several nodes at once: show all plans, ask about all of them, then run them.

PCP runs one recovery at a time, so the primary is asked by SQL, and Pgpool-II attaches each node at
its end. Each recovery has a process of its own (sql_recovery.py), and depends neither on the others
nor on this command. This process only follows them, in turns.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.cause import cause
from pgpool_recovery.control.consent import agree
from pgpool_recovery.control.event import PRIMARY, Asked, NodeSaid, Outcome, PlanRead, Remarked
from pgpool_recovery.control.extension import Feature, Primary
from pgpool_recovery.control.follower import Follower
from pgpool_recovery.control.job import Desk, Job, RunningRecovery
from pgpool_recovery.control.plan import PlannedRecovery
from pgpool_recovery.control.preflight import refuse_way
from pgpool_recovery.control.recover import (
    LOOK_EVERY_S,
    MAX_QUESTIONS,
    following,
    job_in_turn,
    outcome_of_run,
    sentence_of,
    show_plan,
    tidy_up,
    verify,
)
from pgpool_recovery.control.runner import why_not_by_sql
from pgpool_recovery.control.whereabouts import was_elsewhere
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.record import replace
from pgpool_recovery.pcp.pool import Pool
from pgpool_recovery.plan.document import PlanDocument
from pgpool_recovery.plan.harm import Harm

WAL_SENDERS_EACH = 2
"""A copy has one for the files and one for the WAL."""


@dataclass
class Course:
    """The recovery of one node: what is to be done, what was agreed to, and how far it has come."""

    job: Job
    plan: PlannedRecovery | None
    began: float
    elsewhere: str | None = None
    agreed: Harm | None = None
    is_agreed: bool = False
    questions: int = 0
    running: RunningRecovery | None = None
    follower: Follower | None = None

    @property
    def node_id(self) -> NodeId:
        """The node."""
        return self.job.node.node_id


def recover_together(
    node_ids: Sequence[NodeId],
    pool: Pool | None,
    settings: Settings,
    desk: Desk,
    *,
    at_once: int,
) -> list[Outcome]:
    """Recover nodes, up to `at_once` of them at the same time; return their outcomes in order.

    The failure of one does not affect the others. If a recovery turns out to need more than was
    agreed to, the person is asked again once the others have ended, about all such nodes.
    """
    ended: dict[NodeId, Outcome] = {}

    def end(outcome: Outcome) -> None:
        if outcome.node_id is not None:
            ended[outcome.node_id] = outcome
        desk.tell(outcome)

    courses = []
    for node_id in node_ids:
        with _ending(node_id, time.monotonic(), end):
            course = _prepared(node_id, pool, settings, desk)
            if isinstance(course, Outcome):
                end(course)
            else:
                courses.append(course)
    while courses:
        agreed = [course for course in courses if _is_agreed(course, desk, end)]
        limit = _limit(agreed, at_once, desk)
        courses = list(_run(agreed, desk, end, at_once=limit))
    return [ended[node_id] for node_id in node_ids]


@contextmanager
def _ending(node_id: NodeId, began: float, end: Callable[[Outcome], None]) -> Iterator[None]:
    """End the recovery of a node with its failure, if the block raises one."""
    try:
        yield
    except RecoveryError as error:
        name = f"node {node_id}"
        end(Outcome(node_id, name, time.monotonic() - began, error.about(name)))


def _prepared(
    node_id: NodeId, pool: Pool | None, settings: Settings, desk: Desk
) -> Course | Outcome:
    """Return what is to be done for a node, its plan being told; an outcome if nothing is left.

    Raises the reason if nothing can be done.
    """
    began = time.monotonic()
    job = job_in_turn(node_id, pool, settings, desk)
    if isinstance(job, Outcome):
        return job
    if not job.cluster.has_standbys:
        raise Refused(
            "nodes cannot be recovered at the same time in this mode",
            detail="Pgpool-II has to hold back the clients during the second stage.",
            hint="Leave out --at-once.",
        )
    why_not = why_not_by_sql(job.primary)
    if why_not is not None:
        raise Refused(
            "nodes cannot be recovered at the same time",
            detail=f"Pgpool-II runs one recovery at a time, and the primary cannot be asked by "
            f"SQL: {why_not}.",
            hint="Leave out --at-once, or remove the cause.",
        )
    job = replace(job, by_sql=job.pool is not None)
    if job.pool is not None:
        refuse_way(job.primary, job.cluster, by_sql=True)
    plan = show_plan(job, desk)
    elsewhere = None if plan is None else was_elsewhere(job.primary, job.node)
    return Course(job, plan, began, elsewhere)


def _is_agreed(course: Course, desk: Desk, end: Callable[[Outcome], None]) -> bool:
    """Ask about the plan of a node; a no ends its recovery, and not those of the others."""
    course.is_agreed, is_again = False, course.questions > 0
    with _ending(course.node_id, course.began, end):
        course.agreed = agree(
            course.job.node,
            course.plan,
            desk.ask,
            None if is_again else desk.at_most,
            elsewhere=None if is_again else course.elsewhere,
            is_again=is_again,
            is_own_stage=course.job.is_own_stage,
        )
        course.questions += 1
        course.is_agreed = True
    return course.is_agreed


def _limit(courses: Sequence[Course], at_once: int, desk: Desk) -> int:
    """Return how many copies the primary has WAL senders for, at least one."""
    if len(courses) < 2:
        return 1
    free = free_wal_senders(courses[0].job.primary)
    most = at_once if free is None else max(1, min(at_once, free // WAL_SENDERS_EACH))
    if most < min(at_once, len(courses)):
        desk.tell(
            Remarked(
                f"{most} at once: the primary has {free} free WAL senders, and each recovery may "
                f"need {WAL_SENDERS_EACH}"
            )
        )
    return most


def free_wal_senders(primary: Primary) -> int | None:
    """Return how many WAL senders are free on the primary; None if it does not say."""
    try:
        with primary.connect(Feature.RECOVERY) as connection:
            return int(connection.row("free_wal_senders")["free"])
    except (Unreachable, Refused):
        return None


def _run(
    agreed: Sequence[Course], desk: Desk, end: Callable[[Outcome], None], *, at_once: int
) -> Iterator[Course]:
    """Run recoveries until all have ended; yield those that need more than was agreed to.

    All connections to the record are closed here, so that a person who leaves with Ctrl-C leaves
    none behind.
    """
    waiting, active, again = deque(agreed), list[Course](), list[Course]()
    with ExitStack() as stack:
        while waiting or active:
            while waiting and len(active) < at_once:
                course = waiting.popleft()
                with _ending(course.node_id, course.began, end):
                    _start(course, desk, stack)
                    active.append(course)
            for course in tuple(active):
                if _has_ended(course, desk, within_s=LOOK_EVERY_S / len(active)):
                    active.remove(course)
                    with _ending(course.node_id, course.began, end):
                        outcome = _finished(course, desk)
                        if outcome is None:
                            again.append(course)
                        else:
                            end(outcome)
    yield from again


def _start(course: Course, desk: Desk, stack: ExitStack) -> None:
    course.follower = stack.enter_context(following(course.job, desk))
    course.running = course.job.running(course.agreed)
    course.running.start()
    desk.tell(Asked(course.node_id, PRIMARY, course.follower is not None))


def _has_ended(course: Course, desk: Desk, *, within_s: float) -> bool:
    """Report what a recovery has done since the last look; return whether it has ended."""
    running = course.running
    if running is None:
        return True
    has_ended = running.has_ended(within_s=within_s)
    for line in running.lines():
        desk.tell(NodeSaid(course.node_id, line))
    if course.follower is not None:
        course.follower.look()
    return has_ended


def _finished(course: Course, desk: Desk) -> Outcome | None:
    """Return the outcome of a recovery that has ended; None if the person must be asked again."""
    job, follower = course.job, course.follower
    try:
        if course.running is not None:
            course.running.result()  # no limit: it has ended
    except RecoveryError as error:
        failure = cause(error, follower, job)
        needed = None if follower is None else follower.needed
        is_last = course.questions >= MAX_QUESTIONS
        may_ask = needed is not None and course.agreed is not None and desk.is_there
        if not isinstance(failure, Refused) or not may_ask or is_last:
            raise failure from error
        desk.tell(Remarked(sentence_of(failure.about(job.node.name)), course.node_id))
        document = PlanDocument({"possible": True, "binds": True, **(needed or {})})
        course.plan = PlannedRecovery(job.node, document)
        desk.tell(PlanRead(course.node_id, course.plan))
        return None
    run = None if follower is None else follower.ended_run()
    verify(job)
    tidy_up(job, desk)
    return outcome_of_run(job, course.plan, run, time.monotonic() - course.began)
