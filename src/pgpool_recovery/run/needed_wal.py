"""Check that the primary has the WAL that the standby will need, before a run counts as done."""

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.facts.archived_wal import FromArchive, WantedWal
from pgpool_recovery.facts.facts import LocalWal
from pgpool_recovery.facts.step.moving import Reserve
from pgpool_recovery.facts.step.transfer import (
    CopyBaseBackup,
    Delta,
    Incremental,
    Rewind,
    RunCommand,
)
from pgpool_recovery.plan.from_archive import name_of
from pgpool_recovery.plan.plan import Plan
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.postgres.wal import read_wal
from pgpool_recovery.run.party import Party
from pgpool_recovery.talk.request.directory import ReadBase
from pgpool_recovery.talk.request.host import TryArchive

MAKES_DATA = (CopyBaseBackup, Rewind, Incremental, Delta, RunCommand)
"""Steps after which the standby continues with WAL of the primary."""


def see_slot(party: Party, plan: Plan) -> None:
    """Check that the slot is usable, and that the primary has the WAL that is needed."""
    needed = plan.needed_segment
    if party.slot.renew() and needed is None:
        needed = _needed_segment(party, plan)
    if needed is None:
        return
    if plan.from_archive is not None:
        see_archive(party, plan.from_archive, plan)
    else:
        see_wal(party.connection, needed)


def see_archive(party: Party, archive: FromArchive, plan: Plan) -> None:
    """Check that what the primary still has begins where the archive ends.

    A checkpoint may have removed WAL before the slot retained it. An archive that has everything
    else has that, too, since a server removes no WAL that it has not archived. From now on the slot
    retains the WAL, so this is needed only once. Raises Undone if the archive lacks it.
    """
    wal = read_wal(party.connection)
    if wal.has(archive.next_segment):
        return
    data = next(step for step in plan.steps if isinstance(step, Reserve)).places.data
    names = tuple(
        name_of(segment, wal) for segment in (archive.next_segment, wal.oldest_segment - 1)
    )
    wanted = tuple(WantedWal(name) for name in dict.fromkeys(names))
    within_s = archive.timeout_s
    asked = TryArchive(data.path, archive.command, wanted, wal.segment_bytes, within_s)
    found = party.agent.ask(asked, timeout_s=len(wanted) * within_s + party.deadlines.answer_s)
    lacking = [name for name in names if name not in {f.name for f in found.files if f.head}]
    if lacking:
        raise Undone(
            f"the primary has removed {lacking[0]} in the meantime, and {archive.origin} did not "
            "bring it"
        )


def see_wal(connection: Connection, segment: int) -> None:
    """Raise Undone if the primary lacks the WAL from which the standby will continue."""
    wal = read_wal(connection)
    if not wal.has(segment):
        begin = wal.begin_of(segment)
        raise Undone(f"the primary's WAL from {begin} on, which is needed now, is gone")


def local_wal(party: Party, step: Rewind | Incremental) -> LocalWal:
    """Return what WAL there is in the directory that a step changes."""
    asked = ReadBase(step.places.data.new, step.bin_directory, step.timelines, step.segment_bytes)
    return party.agent.ask(asked, timeout_s=party.deadlines.answer_s)


def _needed_segment(party: Party, plan: Plan) -> int | None:
    """Return the segment from which the new data needs WAL; None if it may be in an archive."""
    last = [step for step in plan.steps if isinstance(step, MAKES_DATA)]
    if not last:
        return None
    wal = read_wal(party.connection)
    asked = ReadBase(
        last[-1].places.data.path, last[-1].bin_directory, wal.history.timelines, wal.segment_bytes
    )
    local = party.agent.ask(asked, timeout_s=party.deadlines.answer_s)
    return local.needed(wal.segment_bytes)
