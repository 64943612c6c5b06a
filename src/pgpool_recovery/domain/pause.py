"""How long to wait before polling again."""

SHORTEST_S = 0.01
SHARE = 20
"""A change is noticed late by at most a twentieth of the time that it took."""


def pause_s(waited_s: float, longest_s: float) -> float:
    """Return how many seconds to wait before the next poll, `waited_s` after the first one.

    What takes milliseconds is noticed a few milliseconds later, and what takes hours does not keep
    the processor busy.

    >>> pause_s(0.1, 0.1), pause_s(1.0, 0.1), pause_s(60.0, 0.1)
    (0.01, 0.05, 0.1)
    """
    return min(longest_s, max(SHORTEST_S, waited_s / SHARE))
