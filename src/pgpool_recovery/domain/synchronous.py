"""Parse synchronous_standby_names: the standbys for which the commits of a primary wait."""

import re
from collections.abc import Collection

from pgpool_recovery.domain.record import record

EVERYBODY = "*"
WORD = re.compile(r"""\s*(?:"((?:[^"]|"")*)"|([^\s"(),=]+)|([(),]))""")
METHODS = ("any", "first")
MAX_NAME_BYTES = 63
"""The name of a standby is truncated to this; a name in the setting is not (NAMEDATALEN)."""


@record
class SynchronousStandbys:
    """Names in order, and for how many of them each commit waits; with none it does not wait.

    `*` stands for every standby, whatever its name is.
    """

    names: tuple[str, ...] = ()
    count: int = 0

    def has(self, name: str) -> bool:
        """Return whether commits may wait for a standby of this name, listed itself or by `*`."""
        return EVERYBODY in self.names or self.names_itself(name)

    def names_itself(self, name: str) -> bool:
        """Return whether a name is listed; case does not matter (SyncRepGetStandbyPriority).

        >>> parse_standby_names('ANY 1 (a, "B-2")').names_itself("b-2")
        True
        """
        return _folded(_cut(name)) in map(_folded, self.names)

    def missing(self, streaming: Collection[str]) -> tuple[str, ...]:
        """Return the listed names that no streaming standby has; `*` can never be missing."""
        there = {_folded(_cut(name)) for name in streaming}
        names = [name for name in self.names if name != EVERYBODY]
        return tuple(name for name in names if _folded(name) not in there)

    def are_enough(self, streaming: Collection[str]) -> bool:
        """Return whether these standbys let commits return; two of the same name both count.

        >>> two = parse_standby_names("FIRST 2 (a, b)")
        >>> two.are_enough(["a"]), two.are_enough(["a", "B"]), two.are_enough(["a", "a"])
        (False, True, True)
        """
        return sum(map(self.has, streaming)) >= self.count


NOBODY = SynchronousStandbys()


def parse_standby_names(text: str) -> SynchronousStandbys:
    """Return what a value of synchronous_standby_names means (syncrep_gram.y, syncrep_scanner.l).

    The server has accepted the value, so it is well formed.

    >>> parse_standby_names('s1, "S 2"')
    SynchronousStandbys(names=('s1', 'S 2'), count=1)
    >>> parse_standby_names("ANY 2 (a, b, c)").count, parse_standby_names("2 (a, *)").names
    (2, ('a', '*'))
    >>> parse_standby_names("first, any"), parse_standby_names(" ") == NOBODY
    (SynchronousStandbys(names=('first', 'any'), count=1), True)
    """
    words = [_unquoted(quoted, plain, mark) for quoted, plain, mark in WORD.findall(text)]
    begin = next((at for at, (word, is_mark) in enumerate(words) if is_mark and word == "("), None)
    count = 1
    if begin is not None:
        numbers = [word for word, _ in words[:begin] if word.lower() not in METHODS]
        count = int(numbers[-1]) if numbers and numbers[-1].isdigit() else 1
        words = words[begin:]
    names = tuple(word for word, is_mark in words if not is_mark)
    return SynchronousStandbys(names, count) if names else NOBODY


def _unquoted(quoted: str, plain: str, mark: str) -> tuple[str, bool]:
    return (mark, True) if mark else (plain or quoted.replace('""', '"'), False)


def _folded(name: str) -> str:
    """Return a name in lower case for a comparison: pg_strcasecmp folds ASCII only."""
    return name.encode(errors="surrogateescape").lower().decode("utf-8", "surrogateescape")


def _cut(name: str) -> str:
    """Return the name of a standby as its primary has it, truncated."""
    encoded = name.encode(errors="surrogateescape")[:MAX_NAME_BYTES]
    return encoded.decode("utf-8", "surrogateescape")
