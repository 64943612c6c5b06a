"""Observe everything that is relevant about the target's data directory; nothing is changed."""

import fcntl
import os
import pwd
import socket
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import read_configuration
from pgpool_recovery.agent.directory.history_file import read_history
from pgpool_recovery.agent.directory.journal import read_entry
from pgpool_recovery.agent.directory.local_wal import first_missing
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.own_wal import own_wal
from pgpool_recovery.agent.directory.place import observe_place, workspaces_of
from pgpool_recovery.agent.directory.swap import failed_starts, standing
from pgpool_recovery.agent.method.guarded.guard import is_half_applied, read_marker
from pgpool_recovery.agent.method.guarded.marker import DeltaMarker, Marker
from pgpool_recovery.agent.method.incremental.stale_directory import read_base
from pgpool_recovery.agent.observe.other_server import see_others
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.control_data import ControlData, parse_control_data
from pgpool_recovery.domain.data_directory import (
    BACKUP_LABEL,
    NO_DATA,
    RECOVERY_SIGNAL,
    STANDBY_SIGNAL,
)
from pgpool_recovery.domain.directory_state import Changing, Finished, target_state
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import History, Point
from pgpool_recovery.facts.facts import (
    Base,
    Configuration,
    LocalWal,
    PartialCopy,
    PlaceFacts,
    TargetFacts,
)
from pgpool_recovery.facts.leftover import OLD_FILE, LeftFiles
from pgpool_recovery.files.text import read_text
from pgpool_recovery.files.write import open_nameless
from pgpool_recovery.host import zstd
from pgpool_recovery.host.command_line import find_given
from pgpool_recovery.host.file_access import look_as_target, spare_wal_bytes
from pgpool_recovery.host.filesystem import mounts_inside, size_of
from pgpool_recovery.host.installation import find_bin_directory
from pgpool_recovery.host.lock import is_locked
from pgpool_recovery.host.manager import find_manager, find_marks
from pgpool_recovery.host.pidfile import read_pid_file
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.host.version_file import read_major
from pgpool_recovery.plan.divergence import base_of
from pgpool_recovery.ssh.locality import own_addresses
from pgpool_recovery.talk.request.directory import Observe, ReadBase, WantedTablespace

NOWHERE = Path("/nowhere")
FICLONE = 0x40049409  # linux/fs.h
SHOWN_ENTRIES = 5


def observe(request: Observe, stop: Stop, own_login: OwnLogin) -> TargetFacts:
    """Return the facts about a data directory on this host; its secrets only go to `own_login`."""
    data = Path(request.data_directory).resolve()
    workspace, state = standing(data)
    is_away = isinstance(state, Changing | Finished)
    contents = workspace / "new" if is_away else data
    entries = _entries(contents)
    bin_directory = find_bin_directory(request.major, request.bin_directories, stop)
    place = observe_place(data, is_own=True, got_on=stop.got_on)
    if place.problem is not None:  # It must not be read, so nothing is.
        data = contents = NOWHERE
    configuration, problem = _configuration(request, data, bin_directory, stop, own_login)
    control = _control_data(contents, bin_directory, stop)
    server = read_pid_file(data)
    links = _tablespace_links(contents)
    wanted = {tablespace.oid for tablespace in request.tablespaces}
    is_data_directory = "PG_VERSION" in entries
    marker = read_marker(contents) if is_half_applied(contents) else None
    manager = find_manager(data, request.major)
    in_wal = own_wal(contents, request.segment_bytes)
    marks = find_marks(data) if manager is None else ()
    see = see_others(data)
    wal = _wal_place(contents, request.wal_directory, stop)
    wal = None if wal is None else see(wal)
    found = _tablespaces(request, links, stop, is_half=is_away)
    tablespaces = {oid: see(place) for oid, place in found.items()}
    others = [Path(place.path) for place in (wal, *tablespaces.values()) if place is not None]
    access = look_as_target(contents, others, workspaces_of(data))
    return TargetFacts(
        hostname=socket.gethostname(),
        user=pwd.getpwuid(os.geteuid()).pw_name,
        addresses=tuple(map(str, own_addresses())),
        data=place,
        wal=wal,
        tablespaces=tablespaces,
        gone_tablespaces=_gone_tablespaces(links, wanted),
        moved_tablespaces=_moved_tablespaces(request, links),
        linked_tablespaces=tuple(links),
        is_empty=not entries,
        is_data_directory=is_data_directory,
        foreign_entries=() if is_data_directory else tuple(entries[:SHOWN_ENTRIES]),
        mounts_inside=mounts_inside(data),
        major=_major(contents),
        control=control,
        has_backup_label=(contents / BACKUP_LABEL).exists(),
        backup_start=_backup_start(contents),
        history=_history(contents, control),
        local_wal=None
        if control is None
        else _local_wal(contents, base_of(control, _backup_start(contents)), request),
        is_away=is_away,
        changing=state.method if isinstance(state, Changing) else None,
        state=target_state(state),
        resumable=_resumable(contents, bin_directory, marker, stop),
        can_clone=_can_clone(data),
        has_zstd=zstd.is_available(),
        server_pid=None if server is None else server.pid,
        is_standby=(data / STANDBY_SIGNAL).exists(),
        failed_starts=failed_starts(data),
        managed_by=manager,
        is_busy=any(is_locked(workspace) for workspace in workspaces_of(data)),
        bin_directory=bin_directory,
        configuration=configuration,
        configuration_problem=problem,
        left_files=LeftFiles((data / RECOVERY_SIGNAL).exists(), (data / OLD_FILE).exists(), marks),
        own_wal=in_wal,
        access=replace(access, spare_wal_bytes=spare_wal_bytes(contents / "pg_wal", in_wal.files)),
        marked_identifier=_identifier(marker),
        copy=_copy(data, stop),
    )


def read_local_wal(request: ReadBase, stop: Stop) -> LocalWal:
    """Return the base and the WAL of a directory that was changed completely or partly."""
    directory = Path(request.directory)
    base = read_base(directory, Path(request.bin_directory), stop)
    return _local_wal(directory, base, request)


def _local_wal(directory: Path, base: Base, request: Observe | ReadBase) -> LocalWal:
    begin = base.redo.lsn // request.segment_bytes
    missing = first_missing(directory, begin, request.timelines, request.segment_bytes)
    return LocalWal(base, missing)


def _resumable(
    data: Path, bin_directory: str | None, marker: Marker | DeltaMarker | None, stop: Stop
) -> Base | None:
    if bin_directory is None or not isinstance(marker, Marker):
        return None
    return read_base(data, Path(bin_directory), stop)


def _identifier(marker: Marker | DeltaMarker | None) -> str | None:
    match marker:
        case Marker(stale):
            return stale.system_identifier
        case DeltaMarker(system_identifier):
            return system_identifier
    return None


def _backup_start(data: Path) -> Point | None:
    try:
        return parse_backup_label(read_text(data / BACKUP_LABEL))
    except (OSError, Refused):
        return None


def _history(data: Path, control: ControlData | None) -> History | None:
    """Return the history file of the newest timeline that the directory has been on."""
    if control is None:
        return None
    end = control.minimum_end
    timeline = control.timeline if end is None else max(control.timeline, end.timeline)
    try:
        return read_history(data / "pg_wal" / f"{timeline:08X}.history", timeline)
    except (OSError, Refused):
        return None


def _copy(data: Path, stop: Stop) -> PartialCopy | None:
    """Return what the journal says about an interrupted full copy, and how far it came."""
    copies = (read_entry(workspace).copy for workspace in workspaces_of(data))
    copy = next(filter(None, copies), None)
    if copy is None:
        return None
    sizes = {path: size_of(Path(new), stop.got_on) for path, new in copy.layout.items()}
    return PartialCopy(copy.system_identifier, copy.begun_s, dict(copy.layout), sizes)


def _can_clone(data: Path) -> bool:
    """Return whether files beside the data directory can share its blocks (ioctl_ficlone(2)).

    This is tried with an unnamed temporary file.
    """
    try:
        with (data / "PG_VERSION").open("rb") as source:
            clone = open_nameless(data.parent)
            try:
                fcntl.ioctl(clone, FICLONE, source.fileno())
            finally:
                os.close(clone)
    except OSError:
        return False
    return True


def _entries(data: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in data.iterdir() if entry.name not in NO_DATA)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        return ["(permission denied)"]


def _major(data: Path) -> int | None:
    try:
        return read_major(data)
    except (OSError, ValueError):
        return None


def _control_data(data: Path, bin_directory: str | None, stop: Stop) -> ControlData | None:
    if bin_directory is None or not (data / "global" / "pg_control").exists():
        return None
    said = run([f"{bin_directory}/pg_controldata", "-D", str(data)], stop)
    return parse_control_data(said.check().output)


def _configuration(
    request: Observe, data: Path, bin_directory: str | None, stop: Stop, own_login: OwnLogin
) -> tuple[Configuration | None, str | None]:
    if bin_directory is None:
        return None, None
    try:
        given = find_given(data, request.start_command, stop)
        programs, major = Path(bin_directory), request.major
        return read_configuration(data, programs, stop, own_login, given, major), None
    except Refused as refused:
        return None, refused.detail


def _wal_place(data: Path, wanted: str | None, stop: Stop) -> PlaceFacts | None:
    """Return a WAL directory that is elsewhere: the node's own, or the one in the settings."""
    own = data / "pg_wal"
    if own.is_symlink():
        return observe_place(own, is_own=True, got_on=stop.got_on)
    if wanted is None:
        return None
    return observe_place(Path(wanted), is_own=False, got_on=stop.got_on)


def _tablespace_links(data: Path) -> dict[int, Path]:
    try:
        entries = list(os.scandir(data / "pg_tblspc"))
    except OSError:
        return {}
    return {
        int(entry.name): Path(entry.path).readlink()
        for entry in entries
        if entry.is_symlink() and entry.name.isdigit()
    }


def _tablespaces(
    request: Observe, links: dict[int, Path], stop: Stop, *, is_half: bool
) -> dict[int, PlaceFacts]:
    """Return where each of the primary's tablespaces will be.

    That is the path in the settings, or else that of the node's own link, or else the primary's.
    """
    return {
        wanted.oid: _tablespace(
            wanted,
            request.tablespace_mapping.get(wanted.location),
            links.get(wanted.oid),
            stop,
            is_half=is_half,
        )
        for wanted in request.tablespaces
    }


def _tablespace(
    wanted: WantedTablespace, mapped: str | None, own: Path | None, stop: Stop, *, is_half: bool
) -> PlaceFacts:
    """Return a tablespace; a half-changed directory may lack the link, but not the tablespace."""
    location = Path(mapped or own or wanted.location)
    is_own = is_half or (own is not None and own.resolve() == location.resolve())
    return observe_place(location / wanted.directory, is_own=is_own, got_on=stop.got_on)


def _moved_tablespaces(request: Observe, links: dict[int, Path]) -> tuple[str, ...]:
    return tuple(
        wanted.location
        for wanted in request.tablespaces
        if wanted.oid in links
        and wanted.location in request.tablespace_mapping
        and links[wanted.oid].resolve()
        != Path(request.tablespace_mapping[wanted.location]).resolve()
    )


def _gone_tablespaces(links: dict[int, Path], wanted: set[int]) -> tuple[str, ...]:
    """Return the locations of the node's tablespaces that no longer exist on the primary.

    They are reported and left alone, because in a copied data directory the links may point to the
    tablespaces of another server.
    """
    return tuple(str(location) for oid, location in links.items() if oid not in wanted)
