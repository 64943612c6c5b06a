"""Pick out of what a script printed what a person should know."""

import re
from collections.abc import Iterator

from pgpool_recovery.domain.line import lines_of

WORTH = re.compile(r"(WARNING|NOTICE): |kept, |/\S+: ")
"""The server's warnings, what was kept, and what recoveries have left in a data directory."""
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
