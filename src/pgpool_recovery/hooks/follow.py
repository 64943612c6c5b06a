"""Run follow_primary_command: make one node follow the new primary, with the functions there."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.control.attachment import attach
from pgpool_recovery.control.cluster import Node, SqlLogin, connect_to
from pgpool_recovery.control.event import Outcome, Tell
from pgpool_recovery.control.extension import look_at
from pgpool_recovery.control.job import Desk, Job
from pgpool_recovery.control.leftover_slots import drop_leftover_slots
from pgpool_recovery.control.plan import read_plan
from pgpool_recovery.control.primary import ask
from pgpool_recovery.control.record import RecordedRun
from pgpool_recovery.control.recover import carry_out, following, verify
from pgpool_recovery.control.streaming import trouble_of
from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.event import Say, saying
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.history.record import Stage, on_record
from pgpool_recovery.hooks.call import Call
from pgpool_recovery.hooks.observe import Known, known, standing_of
from pgpool_recovery.hooks.scene import Standing
from pgpool_recovery.hooks.slots import is_wal_held_for
from pgpool_recovery.pcp.pool import Pool

TRY_FOR_S = 10.0


@record
class Following:
    """A node that must follow the new primary."""

    node: Node
    primary: Node
    is_old_primary: bool
    known: Known
    settings: Settings
    say: Say

    @property
    def login(self) -> SqlLogin:
        """How to connect to both servers."""
        return self.known.cluster.login

    @property
    def hint(self) -> str:
        """What to do with a node that was left alone."""
        return f'Bring it back with "pgpool-recovery recover {self.node.node_id}".'

    def job(self) -> Job:
        """Return the recovery that the new primary will run."""
        extension = look_at(self.primary, self.login)
        return Job(self.node, self.known.cluster, extension, None, self.settings)


def follow_primary(call: Call, pool: Pool, settings: Settings, tell: Tell, say: Say) -> None:
    """Make the node of the call follow the new primary; raises RecoveryError when it does not.

    A failure is recorded on the new primary, because Pgpool-II ignores the exit status.
    """
    began = time.monotonic()
    if call.new_id is None:
        raise Refused(f"there is no new primary that node {call.node_id} could follow")
    if call.new_id == call.node_id:
        say(f"node {call.node_id} is itself the new primary; it follows no other node")
        return
    nodes = known(call, pool, settings, try_for_s=TRY_FOR_S)
    node, primary = nodes.cluster.node(call.node_id), nodes.cluster.node(call.new_id)
    is_old_primary = call.node_id == call.old_primary_id
    one = Following(node, primary, is_old_primary, nodes, settings, say)
    standing = _standing_of_primary(one)
    with _failures_on_record(one):
        job = _ready(one, standing)
    if job is None:
        say(f"{node.name} is up in Pgpool-II and already streams")
        return
    run = _recover(one, job, Desk(tell, lambda _question: None))
    with _failures_on_record(one):
        verify(job)
        attach(pool, node.node_id, within_s=settings.pgpool.change_s)
    drop_leftover_slots(node, one.login, say)
    outcome = Outcome(
        node.node_id,
        node.name,
        time.monotonic() - began,
        run_id=None if run is None else run.id,
        method=None if run is None else run.method,
        moved_bytes=None if run is None else run.moved_bytes,
        is_attached=True,
        is_streaming=True,
    )
    tell(outcome)


def _standing_of_primary(one: Following) -> Standing:
    """Return what the new primary reports about itself; raises unless it is a primary."""
    answer = standing_of(one.primary, one.login)
    if isinstance(answer, Unreachable):
        raise Unreachable(
            f"could not query {one.primary.name}, the new primary",
            detail=answer.in_a_line,
        )
    if not answer[0].is_primary:
        raise Refused(
            f"{one.primary.name}, the new primary, is a standby",
            hint="If another node has become primary in the meantime, Pgpool-II calls this "
            "command again for it.",
        )
    return answer[0]


def _ready(one: Following, primary: Standing) -> Job | None:
    """Return the recovery that the node needs; None when it already follows.

    Raises RecoveryError with the reason why the node is left alone.
    """
    if one.known.failure is not None:
        raise one.known.failure
    name = one.node.name
    answer = standing_of(one.node, one.login)
    if isinstance(answer, Unreachable):
        return _ready_in_silence(one, answer)
    if answer[0].is_primary:
        raise Refused(
            f"{name} is left alone: it accepts writes, as {one.primary.name} does",
            detail=f"Data written there since the failover is not on {one.primary.name}.",
            hint=f"Stop it. {one.hint}",
        )
    if answer[0].system_identifier != primary.system_identifier:
        raise Refused(f"{name} is left alone: it belongs to another cluster")
    if one.node.node_id in one.known.attached:
        _refuse_stray(one)
        return None
    return one.job()


def _ready_in_silence(one: Following, silence: Unreachable) -> Job:
    """Return the recovery of an old primary that the failover itself has stopped.

    The new primary was promoted because it has all of the old one's WAL, so WAL alone brings the
    old one back. Where it did not need to have all of it (failover.incomplete), the plan shows what
    is needed. Any other node that does not answer is left alone: there was a reason to stop it, or
    it was lost and may hold data that no other node has.
    """
    if not (one.is_old_primary and is_wal_held_for(one.node, one.primary, one.login)):
        raise Unreachable(
            f"{one.node.name} is left alone: its server does not answer",
            detail=silence.in_a_line,
            hint=one.hint,
        )
    job = one.job()
    plan = read_plan(job.primary, one.node, within_s=one.settings.pgpool.plan_s)
    if not plan.document.is_possible:
        raise plan.refusal()
    if plan.document.destroys:
        raise Refused(
            f"{one.node.name} is left alone: it needs more than WAL",
            detail="\n".join(plan.document.sentences),
            hint=one.hint,
        )
    one.say(f"{one.node.name} was stopped by the failover and is brought back")
    return replace(job, limit=plan.document.harm)  # If WAL is not enough, it is left alone.


def _refuse_stray(one: Following) -> None:
    """Refuse a node that clients use but that is no sound standby: it must not be stopped."""
    with connect_to(one.primary, one.login) as connection:
        answer = ask(one.known.cluster, one.node)
        trouble = trouble_of(connection, one.primary, answer)
    if trouble is not None:
        raise Refused(
            f"{one.node.name} is up in Pgpool-II, but {trouble.what}",
            detail=trouble.detail,
            hint=f'Detach it with "pgpool-recovery detach {one.node.node_id}". {one.hint}',
        )


def _recover(one: Following, job: Job, desk: Desk) -> RecordedRun | None:
    """Let the new primary recover the node; it records the recovery as soon as that has begun."""
    with following(job, desk) as follower:
        try:
            return carry_out(job, follower, desk)
        except RecoveryError as error:
            if follower is not None and follower.run_id is not None:
                raise error.about(one.node.name) from error
            with _failures_on_record(one):
                raise


@contextmanager
def _failures_on_record(one: Following) -> Iterator[None]:
    """Record a failure of the block on the new primary, as a recovery that failed."""
    try:
        yield
    except RecoveryError as error:
        node, primary = one.node, one.primary
        target = Target(node.host, node.data_directory, node.node_id, node.port)
        stage = Stage(target, "recovered", primary_host=primary.host, primary_port=primary.port)
        with on_record(stage, one.settings, lambda _name: saying(one.say), _server(one)):
            raise error.about(node.name) from error


def _server(one: Following) -> Mapping[str, str]:
    values = {
        "host": one.primary.host,
        "port": str(one.primary.port),
        "user": one.login.user or "",
    }
    return {name: value for name, value in values.items() if value}
