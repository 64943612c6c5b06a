"""What is there and what is missing, as values: with the commands that add it and take it back."""

import shlex
from collections.abc import Mapping, Sequence

from pgpool_recovery.domain.error import UsageError
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.text import steers

POOL_HOST = "this host"
"""The name of the host of Pgpool-II, where setup runs, among the hosts."""

MADE = "@{}@"
"""Stands in a command for what an earlier command makes, or for a password; see `filled`."""


@record
class There:
    """Something that recoveries need, and that a host has."""

    host: str
    name: str
    what: str


@record
class Advice:
    """Something that setup leaves to the user; `is_needed` if recoveries fail without it."""

    host: str
    name: str
    what: str
    advice: str
    is_needed: bool = False


@record
class Need:
    """Something that a host lacks.

    `name` names its record on the host, where a number puts the records in their order. `test` is a
    command of sh that succeeds if nothing is to be done. `commands` make it so, as root, and `undo`
    takes that back; `undo_last` is run after all other records of all hosts were undone.
    `on_primary`: it was done in the databases, so it is undone where the primary is by then.
    `files` are copied to the host before. `makes` is what the last line of output is, for later
    needs.
    """

    host: str
    name: str
    what: str
    why: str
    test: str
    commands: tuple[str, ...]
    undo: tuple[str, ...]
    undo_last: tuple[str, ...] = ()
    on_primary: bool = False
    files: tuple[str, ...] = ()
    makes: str | None = None

    @property
    def order(self) -> str:
        """The number that puts it into its place."""
        return self.name.partition("-")[0]


Item = There | Advice | Need


def words(*given: str) -> str:
    """Return words as a command of sh, each quoted where necessary.

    >>> words("echo", "a b", made("key of server1"))
    "echo 'a b' '@key of server1@'"
    """
    if any(steers(word) for word in given):
        raise UsageError("a word of a command contains a control character", detail=repr(given))
    return shlex.join(given)


def made(name: str) -> str:
    """Return the text that stands for what the need that makes `name` has made.

    The name has a blank, so the word that the text is in, or a part of, is between single quotes.
    """
    if " " not in name:
        raise ValueError(name)
    return MADE.format(name)


def filled(need: Need, values: Mapping[str, str]) -> Need:
    """Return a need with the values that earlier needs have made, between their single quotes.

    Raises UsageError if a value contains a control character.
    """
    for value in values.values():
        words(value)

    def fill(commands: Sequence[str]) -> tuple[str, ...]:
        result = list(commands)
        for name, value in values.items():
            quoted = value.replace("'", "'\"'\"'")
            result = [one.replace(made(name), quoted) for one in result]
        return tuple(result)

    (test,) = fill([need.test])
    return replace(
        need,
        test=test,
        commands=fill(need.commands),
        undo=fill(need.undo),
        undo_last=fill(need.undo_last),
    )


def needs_of(items: Sequence[Item]) -> tuple[Need, ...]:
    """Return the needs in the order in which they are carried out, whatever their hosts."""
    found = [item for item in items if isinstance(item, Need)]
    return tuple(sorted(found, key=lambda need: need.order))
