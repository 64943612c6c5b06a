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
