"""The words of a check for its estimates, and for the host on which to give a command."""

from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.facts.policy import Policy, kilobytes
from pgpool_recovery.plan.plan import Plan

LOCAL_BYTES_PER_S = 200e6
"""The rate of an average disk, for a target on the primary's host, where no link is measured."""
FEW_SECONDS, MINUTES_FROM_S, HOURS_FROM_S = 10, 90, 5400


def estimate(plan: Plan, link_bytes_per_s: float | None, policy: Policy) -> str:
    """Return the method, how much it moves, and roughly how long that takes."""
    if plan.moved_bytes is None:
        return f"{plan.method}"
    rate = LOCAL_BYTES_PER_S if link_bytes_per_s is None else link_bytes_per_s
    if policy.max_rate is not None:
        rate = min(rate, kilobytes(policy.max_rate) * 1024)
    time = rough_duration(plan.moved_bytes / rate)
    return f"{plan.method}, about {pretty_size(plan.moved_bytes)} in about {time}"


def rough_duration(seconds: float) -> str:
    """Return a duration as it is said if it is not known exactly.

    >>> [rough_duration(s) for s in (0.3, 42, 150, 7200)]
    ['10 s', '42 s', '2 min', '2 h']
    """
    if seconds < FEW_SECONDS:
        return f"{FEW_SECONDS} s"
    if seconds < MINUTES_FROM_S:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < HOURS_FROM_S else f"{seconds / 3600:.0f} h"


def on(node: Target) -> str:
    """Return on which host a command must be given, as the beginning of a sentence."""
    return f"On {node.host}"


def sentence(text: str) -> str:
    """Return a text in one line without a full stop, for parentheses or the end of a fact."""
    return " ".join(text.split()).rstrip(".")
