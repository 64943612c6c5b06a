"""Find out why a recovery failed: by its record, or else say where to look."""

from pgpool_recovery.control.follower import Follower
from pgpool_recovery.control.job import Job
from pgpool_recovery.control.record import COPIED
from pgpool_recovery.domain.error import Incomplete, RecoveryError, Unreachable, Unverified
from pgpool_recovery.domain.target_state import TargetState


def cause(error: RecoveryError, follower: Follower | None, job: Job) -> RecoveryError:
    """Return why a recovery failed, by its record, because PCP does not report the cause.

    Pgpool-II's own message is kept if it started nothing, or failed after the node had started.
    """
    has_begun = isinstance(error, Incomplete) or error.target is TargetState.UNKNOWN
    if isinstance(error, Unreachable) and job.is_run_by_pool:
        return _lost(error, follower, job)
    if follower is None or not (has_begun or follower.run_id is not None):
        return _where_to_look(error, job) if has_begun else error
    run = follower.ended_run()
    if run is None and follower.run_id is not None:  # The record was readable, and no longer is.
        return _lost_primary(error, job)
    if run is None:  # No run was ever recorded.
        return _where_to_look(error, job)
    if run.state == "recovered":  # The stages succeeded; Pgpool-II failed after them.
        return Unverified(
            error.message, detail=error.detail, hint=error.hint, target=TargetState.STARTED
        )
    if run.state == COPIED:  # The first stage succeeded; the remote start did not follow.
        return error.with_target(run.left)
    return run.failure() or error


def _lost(error: Unreachable, follower: Follower | None, job: Job) -> RecoveryError:
    """Return what a lost connection to Pgpool-II means; often the recovery continues."""
    run = None if follower is None else follower.run()
    if run is None:
        return error
    known = run.failure()
    if known is not None:
        return known
    return Unreachable(
        error.message,
        detail=error.detail,
        hint=f'The recovery itself may continue. Check "pgpool-recovery watch {job.node.node_id}".',
        target=TargetState.UNKNOWN,
    )


def _lost_primary(error: RecoveryError, job: Job) -> RecoveryError:
    """Return the failure of a run whose end can no longer be read from the record."""
    said = f"{error.message}." + (f" {error.detail}" if error.detail else "")
    return Incomplete(
        f"the primary ({job.primary.node.name}) was lost while it was recovering {job.node.name}",
        detail=f"Pgpool-II says: {said}" if job.is_run_by_pool else said,
        hint="Wait until another node is the primary, then recover the node again. That completes "
        "the recovery, or starts over with the data that the node has.",
        target=TargetState.UNKNOWN,
    )


def _where_to_look(error: RecoveryError, job: Job) -> RecoveryError:
    """Return the error with a hint where to find the cause, which is not on record."""
    if error.hint is not None or not job.is_run_by_pool:
        return error
    return error.changed(
        hint="The cause is not on record. Check pgpool.log and the server log of the primary "
        f'({job.primary.node.name}); "pgpool-recovery check" may find it, too.'
    )
