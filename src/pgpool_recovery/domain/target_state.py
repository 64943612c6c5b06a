"""The states in which a run leaves its target."""

from enum import StrEnum


class TargetState(StrEnum):
    """What an operator finds on the target after a run, in the words of every message."""

    UNTOUCHED = "untouched"
    RESTORED = "restored"
    INCOMPLETE = "incomplete"
    COPIED = "copied, but not started"
    STARTED = "started"
    STOPPED = "started, and stopped again"
    UNKNOWN = "in a state that could not be learnt"


RECOVER_AGAIN = "Recover the node again: that completes it, or puts the old data back."
"""What to do about a target of which nobody knows how far a run has come."""

COMPLETE = (
    "No server can be started on the data directory as it is. Recover the node again once the "
    "cause is gone: that completes it, by a full copy if need be."
)
NOT_YET = "No server can be started on its data as it is now."
START = "Recover the node again: that starts it, or prepares it anew."
NEXT = {
    TargetState.INCOMPLETE: COMPLETE,
    TargetState.COPIED: START,
    TargetState.UNKNOWN: RECOVER_AGAIN,
}
"""What to do about a state in which a node does not stay, whatever else is advised."""


def with_next_step(hint: str | None, state: TargetState) -> str | None:
    """Return a hint with what the state of the target asks for.

    >>> with_next_step("Make room.", TargetState.RESTORED)
    'Make room.'
    >>> with_next_step("Make room, then recover the node again.", TargetState.INCOMPLETE)
    'Make room, then recover the node again. No server can be started on its data as it is now.'
    """
    step = NEXT.get(state)
    if step is None or hint is None:
        return hint or step
    if "recover the node again" not in hint.lower():
        return f"{hint} {step}"
    return f"{hint} {NOT_YET}" if state is TargetState.INCOMPLETE else hint
