"""Say where each member of a base backup goes: new directories, with links between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pgpool_recovery.agent.directory.modes import OWNER
from pgpool_recovery.agent.directory.workspace import make_directory
from pgpool_recovery.agent.method.archive import BASE, unexpected_archive
from pgpool_recovery.agent.method.guarded.contents import LINK_PATTERN
from pgpool_recovery.agent.method.tar_stream import Member, MemberKind, Nothing, Sink
from pgpool_recovery.domain.data_directory import LINKS, WAL
from pgpool_recovery.domain.error import Refused, Undone
from pgpool_recovery.facts.step.place import Places
from pgpool_recovery.postgres.backup_stream import SentTablespace

OpenFile = Callable[[str, Path, int], Sink]


@dataclass
class Destination:
    """The directories of a copy, into which members are directed by their paths.

    `open_file` gets the path that the manifest has for a file, where it goes, and its mode.
    Tablespaces are written through their own directories, never through a link.
    """

    data: Path
    tablespaces: dict[int, Path]
    open_file: OpenFile
    directories: set[Path] = field(default_factory=set)

    def opener(self, archive: str) -> Callable[[Member], Sink]:
        """Return the function that directs the members of an archive; raise Undone for no such."""
        if archive == BASE:
            return self._open_in_base
        for oid, directory in self.tablespaces.items():
            if archive == str(oid):
                return lambda member: self._open(
                    member, f"{LINKS}/{oid}/{member.path}", directory / member.path, archive
                )
        raise unexpected_archive(archive)

    def _open_in_base(self, member: Member) -> Sink:
        match = LINK_PATTERN.match(member.path)
        if match is None:
            return self._open(member, member.path, self.data / member.path, BASE)
        oid = int(match[1])
        if match[0] != member.path or oid not in self.tablespaces:
            raise _unexpected(member, BASE)
        if member.kind is MemberKind.LINK:
            (self.data / member.path).symlink_to(self.tablespaces[oid])
        elif member.kind is not MemberKind.DIRECTORY:
            raise _unexpected(member, BASE)
        return Nothing()

    def _open(self, member: Member, path: str, place: Path, archive: str) -> Sink:
        if member.kind is MemberKind.LINK:
            raise _unexpected(member, archive)
        if member.kind is MemberKind.DIRECTORY:
            if not place.is_dir():  # pg_wal may be a link to its directory elsewhere.
                place.mkdir()
                place.chmod(member.mode | OWNER)
            self.directories.update((place, place.parent))
            return Nothing()
        self.directories.add(place.parent)
        return self.open_file(path, place, member.mode | 0o600)


def make_directories(places: Places, sent: Sequence[SentTablespace], mode: int) -> dict[int, Path]:
    """Make the directories of the copy; return those of the tablespaces by OID.

    Raises Refused if the primary's tablespaces are not those of the plan.
    """
    data = Path(places.data.new)
    _make(data, mode)
    if places.wal is not None:
        _make(Path(places.wal.new), mode)
        (data / WAL).symlink_to(places.wal.new)
    else:
        _make(data / WAL, mode)
    known = {each.oid: Path(each.copy_location) for each in places.tablespaces}
    found = {each.oid for each in sent if each.location.startswith("/")}
    if known.keys() != found:
        names = ", ".join(map(str, sorted(known.keys() ^ found)))
        raise Refused(
            "the primary's tablespaces have changed since the recovery was planned",
            detail=f"It has created or dropped those with OID {names}.",
            hint="Recover the node again.",
        )
    for directory in known.values():
        _make(directory, mode)
    inside = {each.oid: data / each.location for each in sent if each.oid not in known}
    return {**known, **inside}


def _make(directory: Path, mode: int) -> None:
    make_directory(directory)
    directory.chmod(mode)


def _unexpected(member: Member, archive: str) -> Undone:
    return Undone(
        f'the archive {archive} of the base backup has an unexpected entry "{member.path}"',
        detail="A server never sends such an entry.",
    )
