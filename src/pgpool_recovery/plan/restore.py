"""The method restore: the newest backup from a pgBackRest repository, then WAL from there on."""

from collections.abc import Iterable, Iterator, Mapping

from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.wal import (
    History,
    Point,
    TimelineId,
    file_of_segment,
    lsn_text,
    segment_number,
    segment_of_file,
)
from pgpool_recovery.facts.backup import Backup, NoBackup, Repository, Restoration
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.transfer import RestoreBackup
from pgpool_recovery.plan.duration import duration_of
from pgpool_recovery.plan.in_place import (
    changes_clone,
    in_place_steps,
    locations,
    old_data,
    reject_in_place,
    room_to_grow,
)
from pgpool_recovery.plan.meanwhile import (
    Meanwhile,
    meanwhile,
    notes_on_kept_wal,
    reject_kept_wal,
)
from pgpool_recovery.plan.past import after_changes
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.stray import reject_repository

NOT_CONFIGURED = Rejection(
    "no pgBackRest stanza is configured", hint="Set stanza in [pgbackrest] of the settings."
)
"""Not worth mentioning to a user who has no such repository and did not ask for one."""


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for a restore, or why it is not possible."""
    rejections = tuple(_reject(situation))
    backup = situation.facts.backup
    if rejections or not isinstance(backup, Backup):
        return rejections
    places = situation.places
    is_clone = changes_clone(situation)
    wal = None if places.wal is None else places.wal.new if is_clone else places.wal.path
    restoration = Restoration(
        backup=backup,
        directory=places.data.new,
        data_directory=places.data.path,
        wal_directory=wal,
        locations=locations(situation),
    )
    step = RestoreBackup(places, situation.bin_directory, restoration)
    return Plan(
        target_name=situation.name,
        method=Method.RESTORE,
        summary=f"what differs from backup {backup.repository.label} of the repository, and WAL",
        slot_name=situation.target.slot_name,
        moved_bytes=None,
        work_bytes=backup.repository.size_bytes,
        old_data=old_data(situation),
        needs=room_to_grow(situation),
        notes=tuple(notes_on_kept_wal(situation.facts.primary, _forecast(situation))),
        steps=in_place_steps(
            situation,
            [step, *after_changes(situation, backup.repository.start)],
            backup=backup,
        ),
    )


def _reject(situation: Situation) -> Iterator[Rejection]:
    if situation.facts.backup is None:
        yield NOT_CONFIGURED
        return
    primary, wal = situation.facts.primary, situation.wal
    oldest = wal.begin_of(wal.oldest_segment)
    yield from reject_restore(
        situation.name,
        situation.facts.backup,
        system_identifier=primary.system_identifier,
        major=primary.major,
        history=wal.history,
        oldest_wal=file_of_segment(oldest.timeline, wal.oldest_segment, wal.segment_bytes),
        segment_bytes=wal.segment_bytes,
        tablespaces={space.oid: space.location for space in primary.tablespaces},
    )
    yield from reject_in_place(situation)
    yield from reject_kept_wal(primary, _forecast(situation))


def _forecast(situation: Situation) -> Meanwhile | None:
    """Return the forecast for a backup of which nothing is there yet; how much is, nobody knows."""
    size = situation.facts.primary.copy_bytes
    known = duration_of(situation, Method.RESTORE, size)
    return meanwhile(situation.facts, situation.policy, size, known)


def reject_restore(
    name: str,
    found: Backup | NoBackup | None,
    *,
    system_identifier: str,
    major: int,
    history: History,
    oldest_wal: str,
    segment_bytes: int,
    tablespaces: Mapping[int, str],
) -> Iterator[Rejection]:
    """Report why the newest backup cannot become a standby of this primary.

    The most important reason comes first. `found` is what the target sees, None if no stanza is
    configured. The other values are the primary's: its system identifier, major version and
    history, the oldest file in its pg_wal that it is sure to keep, the size of its WAL segments,
    and the location of each of its tablespaces by OID.
    """
    match found:
        case None:
            yield NOT_CONFIGURED
        case NoBackup():
            yield _without_backup(name, found)
        case Backup():
            strangers = tuple(_reject_stranger(found, system_identifier, major))
            yield from strangers
            if not strangers:  # The history of another cluster says nothing about this one.
                yield from _reject_history(found.repository, history)
                yield from reject_repository(found, history, (name, None))
                yield from _reject_tablespaces(found, tablespaces)
                yield from _reject_wal(found.repository, history, oldest_wal, segment_bytes)


def _without_backup(name: str, found: NoBackup) -> Rejection:
    return Rejection(
        f"{name} cannot be restored from pgBackRest: {found.problem}",
        detail=found.detail,
        hint=found.hint,
        kind=Unreachable if found.is_unreachable else Refused,
    )


def _reject_stranger(backup: Backup, system_identifier: str, major: int) -> Iterator[Rejection]:
    repository = backup.repository
    hint = "Check stanza in [pgbackrest] of the settings. After an upgrade, run pgbackrest "
    hint += "stanza-upgrade and take a backup."
    if repository.system_identifier != system_identifier:
        yield Rejection(
            f"backup {repository.label} of stanza {repository.stanza} is from another cluster",
            detail=f"Its system identifier is {repository.system_identifier}, "
            f"the primary's is {system_identifier}.",
            hint=hint,
        )
    if backup.major != major:
        yield Rejection(
            f"backup {repository.label} of stanza {repository.stanza} is from PostgreSQL "
            f"{backup.major}",
            detail=f"The primary is PostgreSQL {major}.",
            hint=hint,
        )


def _reject_history(repository: Repository, history: History) -> Iterator[Rejection]:
    """Report a backup past a fork: it has data that the primary never had, which replay keeps."""
    stop = repository.stop
    hint = "Take a backup of the current primary."
    if stop.timeline not in history.timelines:
        yield Rejection(
            f"backup {repository.label} is on timeline {stop.timeline}, which is not in the "
            "history of the primary",
            detail=f"The primary's timelines are {_words(history.timelines)}.",
            hint=hint,
        )
    elif not history.has(stop):
        yield Rejection(
            f"backup {repository.label} was taken after the primary had left its timeline",
            detail=f"It ends at {stop}; the primary left that timeline at {_end(stop, history)}.",
            hint=hint,
        )
    archived = repository.archived
    if archived is not None and _timeline(archived) > history.current:
        # Recovery would follow it, because it takes the highest timeline that it finds as latest.
        yield Rejection(
            f"the archive of stanza {repository.stanza} has WAL of timeline {_timeline(archived)}",
            detail=f"The primary is on timeline {history.current}. Another server has been "
            "promoted and archives to the same stanza.",
            hint="Find out which server that is, and remove its WAL from the archive.",
        )


def _reject_tablespaces(backup: Backup, tablespaces: Mapping[int, str]) -> Iterator[Rejection]:
    """Report a backup with other tablespaces than the primary.

    Replay would create a new tablespace at the primary's location, wherever this node is meant to
    have its own. A tablespace that has been dropped since no longer has a place on the target.
    """
    of_backup = {tablespace.oid: tablespace.location for tablespace in backup.tablespaces}
    created = [location for oid, location in tablespaces.items() if oid not in of_backup]
    dropped = [location for oid, location in of_backup.items() if oid not in tablespaces]
    if created or dropped:
        parts = [f"{_words(created)} was created since then"] if created else []
        parts += [f"{_words(dropped)} was dropped since then"] if dropped else []
        yield Rejection(
            f"backup {backup.repository.label} has different tablespaces than the primary",
            detail=f"{' and '.join(parts)}.",
            hint="Take a new backup.",
        )


def _reject_wal(
    repository: Repository, history: History, oldest_wal: str, segment_bytes: int
) -> Iterator[Rejection]:
    """Report WAL from the backup's start on that is neither in the archive nor on the primary."""
    if repository.start.timeline not in history.timelines:
        return  # That has been reported.
    first = segment_number(repository.start.lsn, segment_bytes)
    kept = segment_of_file(oldest_wal, segment_bytes)
    reach = archive_reach(repository.archived, history, segment_bytes)
    if kept <= first or (reach is not None and kept <= reach + 1):
        return
    begin = file_of_segment(repository.start.timeline, first, segment_bytes)
    yield Rejection(
        f"WAL is missing between backup {repository.label} and the primary",
        detail=f"The backup begins in {begin}, {_archive_text(repository.archived)}, and the "
        f"oldest WAL file of the primary is {oldest_wal}.",
        hint="Find out why WAL is not archived (pg_stat_archiver on the primary), or take a new "
        "backup.",
    )


def archive_reach(archived: str | None, history: History, segment_bytes: int) -> int | None:
    """Return the number of the last segment of the primary's own WAL in the archive.

    Where the primary left a timeline, the segment with the fork counts only on the new timeline.

    >>> promoted = History(TimelineId(2), (Point(TimelineId(1), 5 * 2**24 + 100),))
    >>> archive_reach("000000010000000000000003", promoted, 2**24)
    3
    >>> archive_reach("000000010000000000000007", promoted, 2**24)
    4
    >>> archive_reach("000000030000000000000007", promoted, 2**24)
    """
    if archived is None or _timeline(archived) not in history.timelines:
        return None
    last = segment_of_file(archived, segment_bytes)
    end = history.end_of(_timeline(archived))
    return last if end is None else min(last, segment_number(end, segment_bytes) - 1)


def _archive_text(archived: str | None) -> str:
    return "the archive is empty" if archived is None else f"the archive ends with {archived}"


def _timeline(wal_file: str) -> TimelineId:
    return TimelineId(int(wal_file[:8], 16))


def _end(point: Point, history: History) -> str:
    end = history.end_of(point.timeline)
    return "its end" if end is None else lsn_text(end)


def _words(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
