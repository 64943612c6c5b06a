"""Files that a recovery could not read, change or remove: known before anything is removed."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from pgpool_recovery.domain.record import field, record, replace
from pgpool_recovery.facts.rejection import Rejection

MAX_NAME_BYTES = 99
"""So long a path may be in a tar header (tarCreateHeader in src/port/tar.c)."""
MAX_TOLD = 5
CHMOD, CHOWN = "chmod u+rwX", "chown -R"
STANDBY_FILES = ("postgresql.auto.conf", "standby.signal", "recovery.signal", "pg_wal")


class Lacks(StrEnum):
    """What is not possible with a file or a directory."""

    READING = "reading"
    READING_BY_REWIND = "reading by pg_rewind"
    CHANGING = "changing"
    REMOVING = "removing"
    NAME = "a short name"

    @property
    def sentence(self) -> str:
        """What a message says of the file."""
        match self:
            case Lacks.NAME:
                return "has a name that is too long for a base backup"
            case Lacks.CHANGING:
                return "cannot be written"
            case Lacks.REMOVING:
                return "cannot be removed"
        return "cannot be read"


@record
class Obstacle:
    """A file or a directory, and what stands in the way of a recovery.

    `is_ours`: it belongs to the user of the server. `is_fixed`: it has the attribute "immutable" or
    "append only" (chattr(1)).
    """

    path: str
    lacks: Lacks
    owner: str
    mode: str
    is_ours: bool
    is_fixed: bool = False

    def __str__(self) -> str:
        fixed = ', and has the attribute "immutable" or "append only"' if self.is_fixed else ""
        return f"{self.path} belongs to {self.owner}, with mode {self.mode}{fixed}"

    @property
    def cure(self) -> str | None:
        """The command that mends it, without the path; None where a command is not enough."""
        if self.lacks is Lacks.NAME:
            return None
        if self.is_fixed:
            return "chattr -i -a"
        return CHMOD if self.is_ours else CHOWN


@record
class Access:
    """What a look at every file of a server showed; `user` runs that server, and looked.

    `more` is how many obstacles of a kind there are besides those that are named. `is_whole`: the
    look came to its end in time. `kept_bytes` are those of what is not the cluster's in the data
    directory: a node keeps it, and a copy of a primary brings it. `copied_bytes` is how much of
    that has to be copied when a node keeps it; the rest only gets other names. `spare_wal_bytes` is
    the size of the files in its pg_wal that wait to be used again.
    """

    host: str = ""
    user: str = ""
    obstacles: tuple[Obstacle, ...] = ()
    more: Mapping[Lacks, int] = field(default_factory=dict)
    is_whole: bool = True
    kept_bytes: int = 0
    copied_bytes: int = 0
    spare_wal_bytes: int = 0

    def lacking(self, *lacks: Lacks) -> tuple[Obstacle, ...]:
        """Return what stands in the way of these."""
        return tuple(found for found in self.obstacles if found.lacks in lacks)


NO_ACCESS = Access()
"""Of a server at whose files nobody has looked, or that has none."""


def as_source(target: Access) -> Access:
    """Return what is known of a node's files if it were the primary: which cannot be read."""
    return replace(target, obstacles=target.lacking(Lacks.READING))


def reject_source(primary: Access, *, by_rewind: bool = False) -> Iterator[Rejection]:
    """Say which files of the primary a base backup, or pg_rewind, would break off on.

    Pg_rewind reads WAL files as well, and what links lead to. It gives names in no tar header.
    """
    if by_rewind:
        found = primary.lacking(Lacks.READING, Lacks.READING_BY_REWIND)
        why = "pg_rewind has the server read every file in its data directory."
    else:
        found = primary.lacking(Lacks.READING, Lacks.NAME)
        why = "A base backup has every file in the data directory, and breaks off on these."
    yield from _reject("the primary", primary, found, why)


def reject_own_files(name: str, target: Access) -> Iterator[Rejection]:
    """Say which files of the node would keep its old data from being kept, or removed."""
    found = target.lacking(Lacks.READING)
    why = "The node keeps its own files, so they have to be read."
    yield from _reject(name, target, found, why)
    found = target.lacking(Lacks.REMOVING)
    yield from _reject(name, target, found, "The data that is replaced could not be removed.")


def reject_change(name: str, target: Access) -> Iterator[Rejection]:
    """Say which files keep a data directory from being changed where it is, and only from that."""
    found = target.lacking(Lacks.CHANGING)
    why = "The data directory is changed file by file, and that would break off on these."
    yield from _reject(name, target, found, why)


def reject_settings(name: str, target: Access, directory: str) -> Iterator[Rejection]:
    """Say which of the files that make a data directory a standby's cannot be replaced there."""
    wanted = {directory, *(f"{directory}/{name}" for name in STANDBY_FILES)}
    found = tuple(one for one in target.obstacles if one.path in wanted)
    yield from _reject(
        name, replace(target, more={}), found, "It is replaced when the node becomes a standby."
    )


def notes_on_access(name: str, primary: Access, target: Access) -> Iterator[str]:
    """Say at which files nobody has looked."""
    for whose, access in (("the primary", primary), (name, target)):
        if not access.is_whole:
            yield (
                f"{whose} has so many files that not all could be looked at in time: whether each "
                "can be read is not known"
            )


def _reject(
    whose: str, access: Access, found: tuple[Obstacle, ...], why: str
) -> Iterator[Rejection]:
    if not found:
        return
    first, named = found[0], list(dict.fromkeys(map(str, found)))
    more = sum(access.more.get(lacks, 0) for lacks in {one.lacks for one in found})
    unnamed = len(named[MAX_TOLD + 1 :]) + more
    told = [*named[: MAX_TOLD + 1], *([f"and {unnamed} more"] if unnamed else [])]
    yield Rejection(
        f"{first.path} of {whose} {first.lacks.sentence}",
        detail=f"{'; '.join(told)}. {why}",
        hint=" ".join(cures(access, found)),
    )


def cures(access: Access, found: Iterable[Obstacle]) -> Iterator[str]:
    """Yield what to do: the commands for root, those for the server's user, and the rest."""
    by_cure: dict[str | None, list[str]] = {}
    for obstacle in found:
        paths = by_cure.setdefault(obstacle.cure, [])
        if len(paths) <= MAX_TOLD:
            paths.append(shlex.quote(obstacle.path))
    for_user = by_cure.pop(CHMOD, [])
    long_names = by_cure.pop(None, [])
    for_root = [
        " ".join([cure, access.user, *paths] if cure == CHOWN else [cure, *paths])
        for cure, paths in by_cure.items()
        if cure is not None
    ]
    if for_root:
        yield f"On {access.host}, as root: {'; '.join(for_root)}."
    if for_user:
        yield f"On {access.host}, as {access.user}: {CHMOD} {' '.join(for_user)}."
    if CHOWN in by_cure:
        yield "Or move what is none of the cluster's out of the data directory."
    if long_names:
        shown = " ".join(long_names)
        yield f"Give it a shorter name, or move it out of the data directory: {shown}."
