"""How long to wait until the next look at something that does not tell of itself."""

SHORTEST_S = 0.01
SHARE = 20
"""What is waited for is seen late by a twentieth of the time that it took, or less."""


def pause_s(waited_s: float, longest_s: float) -> float:
    """Return the seconds until the next look, after `waited_s` since the first one.

    What takes milliseconds is seen within some more, and what takes hours does not keep the
    processor busy.

    >>> pause_s(0.1, 0.1), pause_s(1.0, 0.1), pause_s(60.0, 0.1)
    (0.01, 0.05, 0.1)
    """
    return min(longest_s, max(SHORTEST_S, waited_s / SHARE))
