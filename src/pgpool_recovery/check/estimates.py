"""The words of a check for its estimates, and for the host on which to give a command."""

from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size, rough_duration
from pgpool_recovery.facts.facts import Facts
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.plan.meanwhile import transfer_rate
from pgpool_recovery.plan.plan import Plan


def estimate(plan: Plan, facts: Facts, policy: Policy) -> str:
    """Return the method, how much it moves, and roughly how long that takes."""
    if plan.moved_bytes is None:
        return f"{plan.method}"
    time = rough_duration(plan.moved_bytes / transfer_rate(facts, policy))
    return f"{plan.method}, about {pretty_size(plan.moved_bytes)} in about {time}"


def on(node: Target) -> str:
    """Return on which host a command must be given, as the beginning of a sentence."""
    return f"On {node.host}"


def sentence(text: str) -> str:
    """Return a text in one line without a full stop, for parentheses or the end of a fact."""
    return " ".join(text.split()).rstrip(".")
