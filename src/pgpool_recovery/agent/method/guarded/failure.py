"""The failure of a change, with the state in which it leaves the target."""

from pgpool_recovery.domain.error import (
    Cancelled,
    Filled,
    Incomplete,
    NoRoom,
    RecoveryError,
    Undone,
    reason_of,
)
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.host.system_failure import WRITING


def failure(error: RecoveryError | OSError, state: TargetState) -> RecoveryError:
    """Return the failure with the state in which it leaves the target."""
    if isinstance(error, Cancelled):
        return error.with_target(state)
    has_no_room = isinstance(error, NoRoom) or getattr(error, "errno", None) in WRITING
    if state is TargetState.INCOMPLETE:
        kind: type[RecoveryError] = Filled if has_no_room else Incomplete
    else:
        kind = NoRoom if has_no_room else Undone
    if isinstance(error, RecoveryError):
        return kind(error.message, detail=error.detail, hint=error.hint, target=state)
    what = "the target" if error.filename is None else f'"{error.filename}"'
    return kind(
        f"could not write {what}: {reason_of(error)}",
        hint="Fix that, then recover the node again. The recovery goes on from what is there.",
        target=state,
    )
