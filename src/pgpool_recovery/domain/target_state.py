"""The states in which a run leaves its target."""

from enum import StrEnum


class TargetState(StrEnum):
    """What an operator finds on the target after a run, as every message words it."""

    UNTOUCHED = "untouched"
    RESTORED = "restored"
    INCOMPLETE = "incomplete"
    COPIED = "copied, but not started"
    STARTED = "started"
    STOPPED = "started, and stopped again"
    UNKNOWN = "in a state that could not be learnt"


RECOVER_AGAIN = "Recover the node again: that completes it, or puts the old data back."
"""What to do when it is not known how far a run has come on the target."""

COMPLETE = (
    "No server can be started on the data directory in its present state. Recover the node again "
    "once the cause is fixed: that completes it, by a full copy if necessary."
)
NOT_YET = "No server can be started on its data in its present state."
START = "Recover the node again: that starts its server, or prepares the node again."
NEXT = {
    TargetState.INCOMPLETE: COMPLETE,
    TargetState.COPIED: START,
    TargetState.UNKNOWN: RECOVER_AGAIN,
}
"""What to do about a state in which a node must not stay, whatever else is advised."""


def with_next_step(hint: str | None, state: TargetState) -> str | None:
    """Return a hint, extended by what the state of the target requires.

    >>> with_next_step("Make room.", TargetState.RESTORED)
    'Make room.'
    >>> with_next_step("Make room, then recover the node again.", TargetState.INCOMPLETE)
    'Make room, then recover the node again. No server can be started on its data in its present \
state.'
    """
    step = NEXT.get(state)
    if step is None or hint is None:
        return hint or step
    if "recover the node again" not in hint.lower():
        return f"{hint} {step}"
    return f"{hint} {NOT_YET}" if state is TargetState.INCOMPLETE else hint
