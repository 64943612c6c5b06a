"""The method repoint: point a running standby at this primary by a reload; it keeps running.

After a failover the standby's own primary is gone, but its settings still point there. If it has
received nothing that the new primary lacks, new settings are all it needs: a changed
primary_conninfo ends its WAL receiver, and the next one connects to this primary
(StartupRequestWalReceiverRestart in src/backend/access/transam/xlogrecovery.c).
"""

from collections.abc import Iterator

from pgpool_recovery.domain.standby import is_past_of
from pgpool_recovery.domain.wal import Lsn, Point, lsn_text
from pgpool_recovery.facts.access import reject_settings
from pgpool_recovery.facts.archived_wal import FromArchive
from pgpool_recovery.facts.facts import PrimaryFacts, TargetFacts
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import RELOADED, RunningServer
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.standby import RepointRunning
from pgpool_recovery.plan.attach import not_running, streams
from pgpool_recovery.plan.broken_archive import is_broken
from pgpool_recovery.plan.fetch_ahead import notes_on_none_ahead
from pgpool_recovery.plan.from_archive import (
    from_archive,
    gap_from,
    notes_on_source,
    reject_unproven_over,
    set_command,
)
from pgpool_recovery.plan.held_wal import notes_on_limit
from pgpool_recovery.plan.in_place import new_tablespaces, reject_replay, reject_untrusted
from pgpool_recovery.plan.past import keep_to_past, reject_past_of_running
from pgpool_recovery.plan.plan import OldData, Plan
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.space import reject_wal_room
from pgpool_recovery.plan.taken_out import reject_running

RELOADABLE_SOURCES = ("default", "configuration file")
"""The sources that postgresql.auto.conf overrides (the column source of pg_settings)."""


def propose(situation: Situation) -> Plan | tuple[Rejection, ...]:
    """Return the plan for a standby that only needs new settings, or why it needs more."""
    running = situation.facts.running
    if situation.facts.target.server_pid is None:
        return (not_running(situation.name),)
    if streams(situation.facts) and not situation.is_of_another_past:
        return (Rejection(f"{situation.name} already streams from this primary"),)
    if not isinstance(running, RunningServer):
        problem = None if running is None else running.problem
        return (Rejection(f"the server of {situation.name} does not answer", detail=problem),)
    archive = _archive(situation, running)
    rejections = [
        *_reject_server(situation, running),
        *(
            _reject_past(situation, running)
            or _reject_wal(situation, running, archive)
            or reject_wal_room(*_room(situation, running), is_from_archive=archive is not None)
        ),
        *_reject_settings(situation.name, running),
        *reject_running(situation.name, running),
        *reject_settings(situation.name, situation.facts.target.access, situation.places.data.path),
        *reject_replay(situation),
        *reject_untrusted(situation),
    ]
    if rejections or isinstance(archive, tuple):
        return tuple(rejections)
    return _plan(situation, running, archive)


def _plan(situation: Situation, running: RunningServer, archive: FromArchive | None) -> Plan:
    needed = _needed_segment(situation, running)
    held = needed if archive is None else archive.next_segment
    data, replayed = situation.places.data.path, _replayed(running)
    step = RepointRunning(
        places=situation.places.in_place(),
        conninfo=situation.standby_conninfo,
        slot_name=situation.target.slot_name,
        former_slot_name=situation.former_slot_name,
        login=running.login,
        new_locations=tuple(space.location for space in new_tablespaces(situation)),
        drops_restore_command=is_broken(situation.facts),
        restore_command=set_command(archive),
    )
    moved_bytes = situation.wal.bytes_since(situation.wal.begin_of(needed).lsn)
    return Plan(
        target_name=situation.name,
        method=Method.REPOINT,
        summary=f"new settings and WAL{_from(archive)}; its server keeps running",
        slot_name=situation.target.slot_name,
        moved_bytes=moved_bytes,
        work_bytes=moved_bytes,
        old_data=OldData.KEPT,
        steps=(
            Reserve(situation.places),
            situation.slot_step(hold_from=situation.wal.begin_of(held)),
            *keep_to_past(situation, data, replayed, keeps=True, archive=archive),
            step,
        ),
        notes=(
            *(() if archive is None else notes_on_source(situation, archive)),
            *notes_on_none_ahead(archive),
            *notes_on_limit(situation, held),
        ),
        needed_segment=None if archive is None else held,
        from_archive=archive,
    )


def _from(archive: FromArchive | None) -> str:
    return "" if archive is None else " from the archive"


def _archive(
    situation: Situation, running: RunningServer
) -> FromArchive | tuple[Rejection, ...] | None:
    """Return the archive that the server needs, or why none helps; None if it needs none.

    A server that is given a command while it runs uses it at once, before it looks for the history
    of another timeline. So it might first read what a dead primary has archived of the old one.
    """
    gap = (
        None
        if running.replayed is None
        else gap_from(_needed_segment(situation, running), situation.wal)
    )
    if gap is None:
        return None
    found = from_archive(situation, gap)
    is_set = not isinstance(found, tuple) and set_command(found) is not None
    if is_set and running.timeline != situation.wal.history.current:
        return (
            Rejection(
                f"the server of {situation.name} must be stopped before it reads the archive",
                detail=f"It is on timeline {running.timeline}, and the archive may have WAL of "
                "that timeline that the primary does not have.",
            ),
        )
    return found


def _reject_server(situation: Situation, running: RunningServer) -> Iterator[Rejection]:
    """Report why this server cannot follow another primary without a restart."""
    name = situation.name
    if not (running.is_in_recovery and situation.facts.target.is_standby):
        yield Rejection(f"the server of {name} is not a standby")
        return
    if running.is_paused:
        yield Rejection(
            f"replay is paused on {name}",
            hint="Run SELECT pg_wal_replay_resume() there to resume it.",
        )
    if running.recovery_target_timeline != "latest":
        yield Rejection(
            f"{name} does not follow its primary to another timeline",
            detail=f'recovery_target_timeline is "{running.recovery_target_timeline}" there, and '
            "only a restart can change it.",
        )
    port, wanted = running.login["port"], situation.target.port
    if wanted is not None and port != str(wanted):
        yield Rejection(
            f"the server of {name} listens on port {port}, not {wanted}",
            hint="Check backend_port in pgpool.conf. Only a restart changes the port of the "
            "server.",
        )


def _reject_settings(name: str, running: RunningServer) -> Iterator[Rejection]:
    """Report which settings a reload would not change, whatever postgresql.auto.conf contains."""
    for setting in RELOADED:
        source = running.sources.get(setting)
        if source is None:
            yield Rejection(
                f"{setting} of {name} cannot be read",
                detail="The role that logs in to the node's own server, primary.user in the "
                "settings, may not read all settings there.",
                hint="Grant it pg_read_all_settings, or make it a superuser.",
            )
        elif source not in RELOADABLE_SOURCES:
            yield Rejection(
                f"{setting} of {name} comes from the {source}",
                detail="That overrides postgresql.auto.conf, and only a restart changes it.",
                hint="Remove it from whatever starts the server.",
            )


def _reject_past(situation: Situation, running: RunningServer) -> list[Rejection]:
    """Report why its WAL may not be in the primary's past, or would lead it to another timeline."""
    name, wal = situation.name, situation.wal
    if running.received is None or running.replayed is None:
        return [
            Rejection(
                f"it is not known how much WAL {name} has received",
                detail="It has not yet replayed all the WAL that it had when it was started.",
            )
        ]
    for history in running.histories:
        if not is_past_of(history, wal.history):
            return [
                Rejection(
                    f"{name} has the history of another timeline {history.current}",
                    detail="It would follow that timeline, which the primary was never on.",
                )
            ]
    end = Point(running.timeline, _end(running))
    if end.timeline not in wal.history.timelines:
        return [
            Rejection(
                f"{name} has WAL of timeline {end.timeline}, which is not in the primary's history"
            )
        ]
    left = wal.history.end_of(end.timeline)
    if left is not None and end.lsn > left:
        return [
            Rejection(
                f"{name} has received WAL that the primary does not have",
                detail=f"It has received up to {end}, which the primary left at {lsn_text(left)}.",
            )
        ]
    if end.lsn > wal.written:
        return [
            Rejection(
                f"{name} is ahead of the primary",
                detail=f"It has received up to {end}, but the primary has written only up to "
                f"{lsn_text(wal.written)}.",
            )
        ]
    if situation.is_of_another_past:
        return [Rejection(f"the WAL of {name} is not the primary's")]
    gap = gap_from(_needed_segment(situation, running), wal)
    unproven = reject_unproven_over(situation, gap)
    return [*unproven, *reject_past_of_running(situation, running)]


def _reject_wal(
    situation: Situation,
    running: RunningServer,
    archive: FromArchive | tuple[Rejection, ...] | None,
) -> list[Rejection]:
    wal, needed = situation.wal, _needed_segment(situation, running)
    if not isinstance(archive, tuple):
        return []
    return [
        Rejection(
            f"the primary no longer has the WAL that {situation.name} needs next, which begins at "
            f"{wal.begin_of(needed)}",
            detail=f"Its oldest WAL begins at {wal.begin_of(wal.oldest_segment)}.",
            hint="wal_keep_size, or a replication slot of the node, would have kept it.",
        ),
        *archive,
    ]


def _room(
    situation: Situation, running: RunningServer
) -> tuple[str, PrimaryFacts, TargetFacts, int]:
    """Return the arguments of `reject_wal_room`; the WAL begins after the last received segment."""
    facts, wal = situation.facts, situation.wal
    end = max(running.received or Lsn(0), running.replayed or Lsn(0))
    segments = max(0, wal.written // wal.segment_bytes - end // wal.segment_bytes)
    return situation.name, facts.primary, facts.target, segments * wal.segment_bytes


def _end(running: RunningServer) -> Lsn:
    """Return how far it got, or will get without this primary: the end of its last whole record.

    Replay may be ahead of what was received in this stream.
    """
    if running.received is None or running.replayed is None:
        raise ValueError("it is not known how far it got")
    return running.replayed if running.is_torn else max(running.received, running.replayed)


def _needed_segment(situation: Situation, running: RunningServer) -> int:
    """Return the segment from whose start it will stream, which is the one that replay is in.

    It requests again what it has received but not replayed (RequestXLogStreaming).
    """
    return _replayed(running).lsn // situation.wal.segment_bytes


def _replayed(running: RunningServer) -> Point:
    if running.replayed is None:
        raise ValueError("it is not known how far it got")
    return Point(running.timeline, running.replayed)
