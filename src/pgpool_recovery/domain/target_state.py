"""The states in which a run leaves its target."""

from enum import StrEnum


class TargetState(StrEnum):
    """What an operator finds on the target after a run, in the words of every message."""

    UNTOUCHED = "untouched"
    RESTORED = "restored"
    INCOMPLETE = "incomplete"
    COPIED = "copied, but not started"
    STARTED = "started"
    UNKNOWN = "in a state that could not be learnt"
