"""How long to wait until the next look at something that does not tell of itself."""

import time

SHORTEST_S = 0.01
SHARE = 20
"""What is waited for is seen late by a twentieth of the time that it took, or less."""


def pause_s(since: float, longest_s: float) -> float:
    """Return the seconds until the next look; `since`: when the first one was (time.monotonic).

    What takes milliseconds is seen within some more, and what takes hours does not keep the
    processor busy.
    """
    return min(longest_s, max(SHORTEST_S, (time.monotonic() - since) / SHARE))
