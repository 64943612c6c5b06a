"""Pick out of what a script printed what a person should know."""

import re
from collections.abc import Iterator, Sequence

from pgpool_recovery.domain.line import lines_of

STAYS = re.compile(r"kept, |/[^:]+: ")
"""What was kept, and what recoveries have left in a data directory."""
WORTH = re.compile(rf"(WARNING|NOTICE): |{STAYS.pattern}")
"""The server's warnings, and what stays."""
MORE = re.compile(r"(DETAIL|HINT): ")


def worth_saying(output: str) -> Iterator[str]:
    """Yield the lines that a person should see; detail and hint go with their message.

    >>> list(worth_saying("Reading\\nWARNING:  a\\nHINT:  b\\nDone\\nHINT:  c\\n"))
    ['WARNING:  a', 'HINT:  b']
    """
    is_said = False
    for line in lines_of(output):
        is_said = WORTH.match(line) is not None or (is_said and MORE.match(line) is not None)
        if is_said:
            yield line


def stays(said: Sequence[str]) -> list[str]:
    """Return, of such lines, those that tell what an undo has left, and what to do about it.

    >>> stays(["WARNING:  a", "kept, since b", "/data: c"])
    ['kept, since b', '/data: c']
    """
    return [line for line in said if STAYS.match(line)]
