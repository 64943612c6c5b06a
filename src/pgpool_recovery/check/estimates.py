"""The words of a check for its estimates, and for the host on which to give a command."""

from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.plan.duration import NOT_KNOWN
from pgpool_recovery.plan.plan import Plan


def estimate(plan: Plan) -> str:
    """Return the method, how much it moves, and how long that takes, as far as that is known."""
    moved = "" if plan.moved_bytes is None else f", about {pretty_size(plan.moved_bytes)}"
    if plan.duration is not None:
        return f"{plan.method}{moved or ','} in {plan.duration}"
    is_told = plan.work is not None and plan.work.kind is None
    return f"{plan.method}{moved}" + (f" ({NOT_KNOWN})" if is_told else "")


def on(node: Target) -> str:
    """Return on which host a command must be given, as the beginning of a sentence."""
    return f"On {node.host}"


def sentence(text: str) -> str:
    """Return a text in one line without a full stop, for parentheses or the end of a fact."""
    return " ".join(text.split()).rstrip(".")
