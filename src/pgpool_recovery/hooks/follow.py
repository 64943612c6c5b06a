"""follow_primary_command: put one node behind the new primary, by the functions that are there."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Busy, RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.event import Event, as_text
from pgpool_recovery.domain.node import Target
from pgpool_recovery.history.record import Stage, on_record
from pgpool_recovery.hooks.call import Call
from pgpool_recovery.hooks.choice import Standing
from pgpool_recovery.hooks.look import Known, known, standing_of
from pgpool_recovery.operator.cluster import Node, connect_to
from pgpool_recovery.operator.event import Outcome
from pgpool_recovery.operator.extension import look_at
from pgpool_recovery.operator.leftover_slots import drop_slots_of_standby
from pgpool_recovery.operator.primary import ask
from pgpool_recovery.operator.record import Run
from pgpool_recovery.operator.recover import Desk, Job, Tell, carry_out, following, verify
from pgpool_recovery.operator.standby import STREAMING, stream_of
from pgpool_recovery.pcp.pool import Pool

TRY_AGAIN_EVERY_S = 1.0

Say = Callable[[str], None]


def follow_primary(call: Call, pool: Pool, settings: Settings, tell: Tell, say: Say) -> None:
    """Put the node of the call behind the new primary; raises why it does not follow.

    A failure is on record on the new primary: Pgpool-II does not look at exit statuses.
    """
    began = time.monotonic()
    nodes = known(call, pool, settings)
    if call.new_id is None:
        raise Refused(f"there is no new primary that node {call.node_id} could follow")
    if call.new_id == call.node_id:
        say(f"node {call.node_id} is named as the new primary itself; it follows nobody")
        return
    primary, node = nodes.cluster.node(call.new_id), nodes.cluster.node(call.node_id)
    standing = _standing_of_primary(primary, nodes)
    with _failures_on_record(primary, node, nodes, settings, say):
        if nodes.failure is not None:
            raise nodes.failure
        job = _ready(node, primary, standing, nodes, settings)
    if job is None:
        say(f"{node.name} is up in Pgpool-II and streams already")
        return
    run = _recover(job, Desk(tell, lambda _node, _plan: None), say)
    with _failures_on_record(primary, node, nodes, settings, say):
        verify(job)
        _attach(pool, node, settings)
    drop_slots_of_standby(node, nodes.cluster.login, say)
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


def _standing_of_primary(primary: Node, nodes: Known) -> Standing:
    """Return what the new primary says of itself, which has to be that it is one."""
    answer = standing_of(primary, nodes.cluster.login)
    if isinstance(answer, Unreachable):
        raise Unreachable(
            f"{primary.name}, the new primary, could not be asked",
            detail=f"{answer.message}: {answer.detail}",
        )
    if not answer[0].is_primary:
        raise Refused(
            f"{primary.name}, the new primary, is a standby",
            hint="When another node has become primary meanwhile, Pgpool-II calls this command "
            "again for it.",
        )
    return answer[0]


def _ready(
    node: Node, primary: Node, standing: Standing, nodes: Known, settings: Settings
) -> Job | None:
    """Return what is to be done for a standby that runs; None when it follows already.

    Raises why the node is left as it is.
    """
    recover = f'Bring it back with "pgpool-recovery recover {node.node_id}".'
    answer = standing_of(node, nodes.cluster.login)
    if isinstance(answer, Unreachable):
        raise Unreachable(
            f"{node.name} is left as it is: its server does not answer",
            detail=f"{answer.message}: {answer.detail}",
            hint=recover,
        )
    if answer[0].is_primary:
        raise Refused(
            f"{node.name} is left as it is: it accepts writes as {primary.name} does",
            detail=f"What was written there since the failover is not on {primary.name}.",
            hint=f"Stop it. {recover}",
        )
    if answer[0].system_identifier != standing.system_identifier:
        raise Refused(f"{node.name} is left as it is: it belongs to another cluster")
    if node.node_id in nodes.attached:
        _refuse_stray(node, primary, nodes)
        return None
    extension = look_at(primary, nodes.cluster.login)
    return Job(node, nodes.cluster, extension, None, settings)


def _refuse_stray(node: Node, primary: Node, nodes: Known) -> None:
    """Refuse a node that clients use and that follows somebody else: it may not be stopped."""
    cluster = nodes.cluster
    with connect_to(primary, cluster.login) as connection:
        stream = stream_of(node, ask(cluster, node), connection.rows("standbys"))
    if stream is None or stream["state"] != STREAMING:
        raise Refused(
            f"{node.name} is up in Pgpool-II, and does not stream from {primary.name}",
            hint=f'Take it out with "pgpool-recovery detach {node.node_id}", and bring it back '
            f'with "pgpool-recovery recover {node.node_id}".',
        )


def _recover(job: Job, desk: Desk, say: Say) -> Run | None:
    """Have the new primary recover the node; it puts that on record as soon as it has begun."""
    with following(job, desk) as follower:
        try:
            return carry_out(job, follower, desk)
        except RecoveryError as error:
            if follower is not None and follower.run_id is not None:
                raise error.about(job.node.name) from error
            nodes = Known(job.cluster)
            with _failures_on_record(job.primary.node, job.node, nodes, job.settings, say):
                raise


def _attach(pool: Pool, node: Node, settings: Settings) -> None:
    """Attach the node, as soon as Pgpool-II takes orders, and see that it uses it."""
    within_s = settings.pgpool.change_s
    deadline = time.monotonic() + within_s
    while True:
        try:
            pool.attach(node.node_id, within_s=within_s)
        except Busy:  # "failover is in progress": another one, or the end of this one.
            if time.monotonic() > deadline:
                raise
            time.sleep(TRY_AGAIN_EVERY_S)
        else:
            return


@contextmanager
def _failures_on_record(
    primary: Node, node: Node, nodes: Known, settings: Settings, say: Say
) -> Iterator[None]:
    """Put a failure of the block on record on the new primary, as a recovery that failed."""
    try:
        yield
    except RecoveryError as error:
        target = Target(node.host, node.data_directory, node.node_id, node.port)
        stage = Stage(target, "recovered", primary_host=primary.host, primary_port=primary.port)
        with on_record(stage, settings, _saying(say), _server(primary, nodes)):
            raise error.about(node.name) from error


def _server(primary: Node, nodes: Known) -> Mapping[str, str]:
    values = {
        "host": primary.host,
        "port": str(primary.port),
        "user": nodes.cluster.login.user or "",
    }
    return {name: value for name, value in values.items() if value}


def _saying(say: Say) -> Callable[[str], Callable[[Event], None]]:
    def telling(_name: str) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            for line in as_text(event):
                say(line)

        return tell

    return telling
