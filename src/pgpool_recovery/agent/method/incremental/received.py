"""Direct each member of a base backup to its file in the data directory, and record what came."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pgpool_recovery.agent.method.guarded.contents import LINK_PATTERN, Contents
from pgpool_recovery.agent.method.guarded.guard import NEW_CONTROL_FILE
from pgpool_recovery.agent.method.guarded.marker import StaleDirectory
from pgpool_recovery.agent.method.incremental.changed_blocks import ChangedBlocks
from pgpool_recovery.agent.method.incremental.whole_file import WholeFile
from pgpool_recovery.agent.method.received_page import CheckPage, page_check
from pgpool_recovery.agent.method.relation_file import parse_path
from pgpool_recovery.agent.method.tar_stream import Member, MemberKind, Nothing, Sink
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.data_directory import (
    BACKUP_LABEL,
    EMPTIED,
    GUARD_PREFIX,
    LINKS,
    REPLACED,
)
from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.wal import Lsn
from pgpool_recovery.files.write import open_in_place
from pgpool_recovery.host.version_file import VERSION_FILE

INCREMENTAL_PREFIX = "INCREMENTAL."


@dataclass
class Counts:
    """What was done so far."""

    bytes_received: int = 0
    files_whole: int = 0
    blocks_written: int = 0


@dataclass
class Received:
    """One base backup on its way into a data directory.

    `files` are those that were written. `check_pages_from` is the start of the backup, or None if
    pages are not checked.
    """

    contents: Contents
    stale: StaleDirectory
    vouched: frozenset[str]
    check_pages_from: Lsn | None
    files: set[Path] = field(default_factory=set)
    counts: Counts = field(default_factory=Counts)

    def open_in_base(self, member: Member) -> Sink:
        """Return where a member of the archive of the data directory goes.

        The node's own files stay unchanged: a member that has none of the names of a cluster's
        directories is dropped. So are the files of emptied directories, and the links, because the
        target has its own.
        """
        top, _, rest = member.path.partition("/")
        if member.kind is MemberKind.LINK or (top == LINKS and rest):
            return self._pass_over_link(member)
        if top in EMPTIED or member.path == LINKS:
            is_directory = member.kind is MemberKind.DIRECTORY
            return self._make_directory(member.path) if is_directory else Nothing()
        if top in REPLACED:
            return self._open(member, member.path)
        if member.path in (BACKUP_LABEL, VERSION_FILE) and member.kind is MemberKind.FILE:
            return self._open(member, member.path)
        return Nothing()

    def open_in_tablespace(self, oid: int) -> Callable[[Member], Sink]:
        """Return the function that directs the members of the archive of a tablespace."""
        version_directory = self.stale.version_directory

        def open_sink(member: Member) -> Sink:
            if member.path.partition("/")[0] != version_directory or member.kind is MemberKind.LINK:
                raise _unexpected(member, f"the archive of tablespace {oid}")
            return self._open(member, f"pg_tblspc/{oid}/{member.path}")

        return open_sink

    def _pass_over_link(self, member: Member) -> Sink:
        match = LINK_PATTERN.fullmatch(member.path)
        if (
            match is None
            or member.kind is not MemberKind.LINK
            or int(match[1]) not in self.contents.tablespaces
        ):
            raise _unexpected(member, "the archive of the data directory")
        return Nothing()

    def _open(self, member: Member, path: str) -> Sink:
        if member.kind is MemberKind.DIRECTORY:
            self.contents.paths.add(path)
            return self._make_directory(path)
        directory, _, name = path.rpartition("/")
        if name.startswith(GUARD_PREFIX):  # A guard of the primary's own past left it there.
            return Nothing()
        if name.startswith(INCREMENTAL_PREFIX):
            return self._open_changed(
                member, f"{directory}/{name.removeprefix(INCREMENTAL_PREFIX)}"
            )
        return self._open_whole(path)

    def _make_directory(self, path: str) -> Sink:
        self.contents.make_directory(self.contents.place(path))
        return Nothing()

    def _open_whole(self, path: str) -> Sink:
        self._note(path)
        self.counts.files_whole += 1
        return WholeFile(
            self._descriptor(NEW_CONTROL_FILE if path == CONTROL_FILE else path, is_made=True),
            block_bytes=self.stale.block_bytes,
            check_page=self._page_check(path),
        )

    def _open_changed(self, member: Member, path: str) -> Sink:
        """Refuse changed blocks of a file that was not vouched for: the others are missing."""
        if path not in self.vouched:
            raise _unexpected(member, "the base backup")
        self._note(path)
        return _Counted(
            ChangedBlocks(
                self._descriptor(path, is_made=False),
                size_bytes=member.size_bytes,
                block_bytes=self.stale.block_bytes,
                segment_blocks=self.stale.segment_blocks,
                check_page=self._page_check(path),
            ),
            self.counts,
        )

    def _note(self, path: str) -> None:
        if path in self.contents.paths:
            raise Undone(f'the base backup has "{path}" twice')
        self.contents.paths.add(path)

    def _descriptor(self, path: str, *, is_made: bool) -> int:
        file = self.contents.place(path)
        self.files.add(file)
        self.contents.directories.add(file.parent)
        mode = self.contents.directory_mode & 0o660
        descriptor = open_in_place(file, made_with=mode if is_made else None)
        if mode != 0o600:
            os.fchmod(descriptor, mode)  # The agent's umask removed the group's rights.
        return descriptor

    def _page_check(self, path: str) -> CheckPage | None:
        start, file = self.check_pages_from, parse_path(path)
        if start is None or file is None or not self.stale.has_checksums:
            return None
        return page_check(path, file, self.stale.segment_blocks, start)


@dataclass(frozen=True)
class _Counted:
    """Adds the number of blocks written to the counts (`Sink`)."""

    sink: ChangedBlocks
    counts: Counts

    def write(self, data: memoryview) -> None:
        self.sink.write(data)

    def close(self) -> None:
        self.sink.close()
        self.counts.blocks_written += self.sink.blocks_written


def _unexpected(member: Member, where: str) -> Undone:
    return Undone(
        f'{where} has an unexpected entry "{member.path}"',
        detail="A primary never sends such an entry.",
    )
