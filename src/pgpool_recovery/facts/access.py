"""Files that a recovery could not read, change or remove, found before anything is removed."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from pgpool_recovery.domain.data_directory import STANDBY_FILES
from pgpool_recovery.domain.record import field, record, replace
from pgpool_recovery.facts.rejection import Rejection

MAX_NAME_BYTES = 99
"""The longest path that fits into a tar header (tarCreateHeader in src/port/tar.c)."""
MAX_TOLD = 5
CHMOD, CHOWN = "chmod u+rwX", "chown -R"


class Lacks(StrEnum):
    """What cannot be done with a file or a directory."""

    READING = "reading"
    READING_BY_REWIND = "reading by pg_rewind"
    CHANGING = "changing"
    REMOVING = "removing"
    NAME = "a short name"

    @property
    def sentence(self) -> str:
        """What a message says about the file."""
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
    """A file or a directory that stands in the way of a recovery.

    `is_ours`: it belongs to the user who runs the server. `is_fixed`: it has the attribute
    "immutable" or "append only" (chattr(1)).
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
        """The command that fixes it, without the path; None if a command is not enough."""
        if self.lacks is Lacks.NAME:
            return None
        if self.is_fixed:
            return "chattr -i -a"
        return CHMOD if self.is_ours else CHOWN


@record
class Access:
    """The result of checking every file of a server as `user`, who runs that server.

    `more` is how many obstacles of a kind there are in addition to those that are named.
    `is_whole`: the check finished in time. `kept_bytes` is the size of the files in the data
    directory that do not belong to the cluster: a node keeps them, and a copy of a primary includes
    them. `copied_bytes` is how much of that must be copied when a node keeps it; the rest is only
    renamed. `spare_wal_bytes` is the size of the recycled files in its pg_wal.
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
        """Return the obstacles of these kinds."""
        return tuple(found for found in self.obstacles if found.lacks in lacks)


NO_ACCESS = Access()
"""The value for a server whose files were not checked, or that has none."""


def as_source(target: Access) -> Access:
    """Return the obstacles that would remain if a node were the primary: unreadable files."""
    return replace(target, obstacles=target.lacking(Lacks.READING))


def reject_source(
    primary: Access, *, by_rewind: bool = False, by_delta: bool = False
) -> Iterator[Rejection]:
    """Yield why a base backup, pg_rewind or a delta would fail on files of the primary.

    pg_rewind also reads WAL files and the targets of links. Only a base backup uses tar headers, so
    for the others names may be long.
    """
    if by_rewind:
        found = primary.lacking(Lacks.READING, Lacks.READING_BY_REWIND)
        why = "pg_rewind has the server read every file in its data directory."
    elif by_delta:
        found, why = primary.lacking(Lacks.READING), "Each file is compared."
    else:
        found = primary.lacking(Lacks.READING, Lacks.NAME)
        why = "A base backup includes every file in the data directory, and fails on these."
    yield from _reject("the primary", primary, found, why)


def reject_own_files(name: str, target: Access) -> Iterator[Rejection]:
    """Yield why the node's own files could not be kept, or its old data not removed."""
    found = target.lacking(Lacks.READING)
    why = "The node keeps its own files, so they must be readable."
    yield from _reject(name, target, found, why)
    found = target.lacking(Lacks.REMOVING)
    yield from _reject(name, target, found, "The data to be replaced could not be removed.")


def reject_change(name: str, target: Access) -> Iterator[Rejection]:
    """Yield why a data directory cannot be modified in place; it can still be replaced."""
    found = target.lacking(Lacks.CHANGING)
    why = "The data directory is modified file by file, and that would fail on these."
    yield from _reject(name, target, found, why)


def reject_settings(name: str, target: Access, directory: str) -> Iterator[Rejection]:
    """Yield why the files that make a data directory a standby's cannot be replaced."""
    wanted = {directory, *(f"{directory}/{name}" for name in STANDBY_FILES)}
    found = tuple(one for one in target.obstacles if one.path in wanted)
    yield from _reject(
        name, replace(target, more={}), found, "It is replaced when the node becomes a standby."
    )


def notes_on_access(name: str, primary: Access, target: Access) -> Iterator[str]:
    """Yield whose files were not all checked."""
    for whose, access in (("the primary", primary), (name, target)):
        if not access.is_whole:
            yield (
                f"{whose} has so many files that not all of them could be checked in time; it is "
                "not known whether each can be read"
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
    """Yield what to do: the commands for root, those for the server's user, then other advice."""
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
        yield "Or move files that do not belong to the cluster out of the data directory."
    if long_names:
        shown = " ".join(long_names)
        yield f"Give it a shorter name, or move it out of the data directory: {shown}."
