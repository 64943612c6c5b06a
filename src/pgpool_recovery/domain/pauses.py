"""How long to wait between two looks at what nothing wakes us up for."""

from collections.abc import Iterator

FIRST_S = 0.01


def pauses(longest_s: float) -> Iterator[float]:
    """Yield pauses in seconds: each twice as long as the one before, up to `longest_s`.

    What is waited for has often happened a moment later, and costs little to look at.

    >>> pause = pauses(0.05)
    >>> [next(pause) for _ in range(4)]
    [0.01, 0.02, 0.04, 0.05]
    """
    pause_s = FIRST_S
    while True:
        yield min(pause_s, longest_s)
        pause_s = min(2 * pause_s, longest_s)
