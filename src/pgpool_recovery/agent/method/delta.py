"""The method delta: let receivers write what differs into a guarded directory, then commit it.

The receivers are processes of their own (`blocks`), each at the other end of a channel from the
source. This agent guards the directory before the first of them begins, tells them where to write,
knows which files there will be, and lets a server start only when all of them have ended and what
they wrote is on disk.
"""

import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pgpool_recovery.agent.directory.swap import WRITERS_END_WITHIN_S
from pgpool_recovery.agent.method.guarded.commit import commit
from pgpool_recovery.agent.method.guarded.contents import Contents, check_directory
from pgpool_recovery.agent.method.guarded.failure import failure
from pgpool_recovery.agent.method.guarded.guard import (
    NEW_CONTROL_FILE,
    is_half_applied,
    raise_guard,
)
from pgpool_recovery.agent.method.guarded.marker import DeltaMarker
from pgpool_recovery.agent.method.guarded.tablespace import (
    link_new,
    linked_tablespaces,
    match_tablespaces,
)
from pgpool_recovery.agent.method.relation_file import vouched_paths
from pgpool_recovery.domain.control_file import CONTROL_FILE
from pgpool_recovery.domain.data_directory import EMPTIED, LINKS, REPLACED
from pgpool_recovery.domain.error import RecoveryError, Refused, Undone
from pgpool_recovery.domain.event import Emit, Said
from pgpool_recovery.domain.sent_file import is_sent
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.domain.wal import Lsn, lsn_text
from pgpool_recovery.facts.blocks import BlockTarget
from pgpool_recovery.files.write import empty_file
from pgpool_recovery.host.permit import PERMIT_NAME, issue_permit, withdraw_permit
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.version_file import VERSION_FILE
from pgpool_recovery.postgres.backup_stream import SentTablespace
from pgpool_recovery.talk.request.steps import BeginDelta, CommitDelta, Expect

NEEDED = (VERSION_FILE, CONTROL_FILE)
BEGINNING = struct.Struct("=Q32xQ")
"""The system identifier, the first field of the control file, and the REDO position of the latest
checkpoint, the first one of checkPointCopy (src/include/catalog/pg_control.h)."""
TOLD_EVERY_S = 2.0


class DeltaWrite:
    """A directory that receivers write into; from `begin` to `commit` no server starts in it."""

    def __init__(self, request: BeginDelta, workspace: Path, stop: Stop) -> None:
        """Check the directory; nothing is changed. Raise Refused for what must not be written."""
        self._step, self._start, self._format = request.step, request.start, request.format
        self._workspace, self._stop = workspace, stop
        found, wanted = request.format.system_identifier, request.step.system_identifier
        if found != wanted:  # Known here before anything is changed; `commit` looks at the file.
            raise Refused(
                "the server whose files are to be read belongs to another cluster",
                detail=f"Its system identifier is {found}, the primary's is {wanted}.",
            )
        directory = Path(request.step.places.data.new)
        check_directory(directory)
        version_directory = request.format.version_directory
        linked = linked_tablespaces(directory) if (directory / LINKS).is_dir() else {}
        for _ in vouched_paths(directory, linked, version_directory):
            stop.check()  # It raises Refused if there is a link below these directories.
        sent = [SentTablespace(oid, location) for oid, location in request.tablespaces.items()]
        self._tablespaces = match_tablespaces(
            linked, sent, request.step.locations, version_directory
        )
        self._contents = Contents(directory, version_directory, self._tablespaces.directories)

    @property
    def is_guarded(self) -> bool:
        """Whether the directory may have been changed."""
        return is_half_applied(self._contents.data_directory)

    def begin(self) -> BlockTarget:
        """Raise the guard; return where receivers write. A failure has the state of the target."""
        directory = self._contents.data_directory
        try:
            token = issue_permit(
                self._workspace, within_s=WRITERS_END_WITHIN_S, check=self._stop.check
            )
            raise_guard(directory, DeltaMarker(self._step.system_identifier))
            for name in (*EMPTIED, *REPLACED, LINKS):
                self._contents.make_directory(directory / name)
            link_new(directory, self._tablespaces)
        except (RecoveryError, OSError) as error:
            state = TargetState.INCOMPLETE if self.is_guarded else TargetState.UNTOUCHED
            raise failure(error, state) from error
        checks = self._step.verifies_pages and self._format.has_checksums
        return BlockTarget(
            data_directory=str(directory),
            tablespaces={oid: str(path) for oid, path in self._tablespaces.directories.items()},
            format=self._format,
            control_file=NEW_CONTROL_FILE,
            permit=str(self._workspace / PERMIT_NAME),
            token=token,
            check_pages_from=self._start.lsn if checks else None,
            is_whole=self._step.is_whole,
        )

    def expect(self, request: Expect) -> None:
        """Make directories, the outer ones first, and remember what will have been received."""
        contents = self._contents
        for path in sorted(request.directories):
            self._check_path(path, is_directory=True)
            contents.make_directory(contents.place(path))
        for path in request.files:
            self._check_path(path, is_directory=False)
        contents.paths.update(request.directories, request.files)

    def _check_path(self, path: str, *, is_directory: bool) -> None:
        top, *inner = path.split("/")
        is_other = top not in {*EMPTIED, LINKS} and is_sent([top, *inner])
        if is_directory and (top in EMPTIED or path == LINKS):
            is_known = True
        elif top == LINKS:
            known = {str(oid) for oid in self._tablespaces.directories}
            is_known = len(inner) > 1 and inner[0] in known
            is_known = is_known and inner[1] == self._contents.version_directory
        else:
            is_known = top in REPLACED or (path == VERSION_FILE and not is_directory)
            is_known = is_known or (self._step.is_whole and is_other)
        if not is_known or {"", ".", ".."} & {top, *inner}:
            raise Undone(f'the source has an unexpected file "{path}"')

    def commit(self, request: CommitDelta, emit: Emit) -> int:
        """Make the directory a standby's, the control file last; return how many files went.

        A failure is Incomplete or Filled, and another run goes on from what is there.
        """
        try:
            withdraw_permit(self._workspace, within_s=WRITERS_END_WITHIN_S, check=self._stop.check)
            contents = self._contents
            contents.paths.difference_update(request.vanished)
            self._check_complete()
            commit(
                contents,
                self._tablespaces,
                self._files(),
                request.label,
                _Ticking(self._stop, emit, len(contents.paths)),
            )
        except (RecoveryError, OSError) as error:
            self._empty(getattr(error, "filename", None))
            raise failure(error, TargetState.INCOMPLETE) from error
        return contents.files_removed

    def _empty(self, name: str | None) -> None:
        """Empty a file that could not be synced, so that the next comparison has it sent again."""
        for path in self._contents.paths if name is not None else ():
            place = self._contents.place(path)
            if str(place) == name and place.is_file():
                with suppress(OSError):  # The first failure is the one to report.
                    empty_file(place)

    def _check_complete(self) -> None:
        for path in NEEDED:
            if path not in self._contents.paths:
                raise Undone(f'the source has no "{path}"')
        with (self._contents.data_directory / NEW_CONTROL_FILE).open("rb") as file:
            found, redo = BEGINNING.unpack(file.read(BEGINNING.size))
        if str(found) != self._step.system_identifier:
            raise Undone(
                "the control file that was received is of another cluster",
                detail=f"Its system identifier is {found}, the primary's is "
                f"{self._step.system_identifier}.",
            )
        if redo < self._start.lsn:
            raise Undone(
                "the control file that was received is older than the backup",
                detail=f"Its last checkpoint began at {lsn_text(Lsn(redo))}, the backup at "
                f"{lsn_text(self._start.lsn)}. So other files were read than those of the server "
                "that the backup is of.",
            )

    def _files(self) -> Iterator[Path]:
        """Yield all files: even what an earlier run wrote, and this one left, may not be on disk.

        Raises Undone if one is missing.
        """
        contents = self._contents
        made = set(map(str, contents.directories))
        for path in contents.paths:
            place = contents.place(NEW_CONTROL_FILE if path == CONTROL_FILE else path)
            if str(place) in made:
                continue
            if not os.path.lexists(place):
                raise Undone(f'"{path}" was not received')
            yield place


class _Ticking:
    """Reports from time to time that the commit goes on; the disk may take long for many files."""

    def __init__(self, stop: Stop, emit: Emit, files: int) -> None:
        self._stop, self._emit, self._files = stop, emit, files
        self._told = time.monotonic()

    def __call__(self) -> None:
        self._stop.check()
        if time.monotonic() - self._told > TOLD_EVERY_S:
            self._told = time.monotonic()
            self._emit(Said("agent", f"{self._files} files are being synced to disk"))
