"""Which WAL a node must get from an archive, and whether one of its archives can be relied on.

An archive is never believed about history. The names of the files are made from the primary's own
history, and PostgreSQL is kept from any other name: the first file of each timeline is put into
pg_wal before the start (plan/past.py). So what an archive has of a dead server's timeline, or of
the old timeline past the fork, is not read. What it has under the right names is tried: the first
file, the last one before the primary's oldest, and both files at each fork in between, which is
where an archive most likely has a hole, as a server that dies does not archive its last WAL. Then
a few more are tried, evenly spread over the rest, as there may be very many: that does not find a
single file that is missing, but days without an archive, before hours of replay end there.
"""

from collections.abc import Iterator

from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.text import one_line
from pgpool_recovery.domain.wal import (
    History,
    Lsn,
    file_of_segment,
    lsn_text,
    segment_of_file,
)
from pgpool_recovery.domain.wal_page import SegmentHead, read_head
from pgpool_recovery.facts.archived_wal import (
    ArchivedWal,
    FetchedWal,
    FromArchive,
    Likeness,
    Origin,
    WalOfPrimary,
)
from pgpool_recovery.facts.facts import Wal
from pgpool_recovery.facts.own_wal import LEAST_BYTES, covering
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.running import RunningServer
from pgpool_recovery.plan.divergence import Diverged, Follows, fork_of
from pgpool_recovery.plan.past import first_unkept, point_to_compare, reject_unproven
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.stray import strays

PARTS = 16
"""Into how many parts the files that are tried beyond those that matter most cut a gap."""


@record
class Gap:
    """The segments that a node needs and the primary no longer has, by their numbers."""

    first: int
    last: int


def needed_segment(situation: Situation) -> int:
    """Return the first WAL segment that a stopped node in the primary's past will request.

    Its recovery begins at REDO, which may be before the position that it had replayed up to.
    """
    local, size = situation.facts.target.local_wal, situation.wal.segment_bytes
    base = situation.follows.base
    needed = base.redo.lsn // size if local is None else local.needed(size)
    unkept = first_unkept(situation)
    return needed if unkept is None else min(needed, unkept)


def gap_from(needed: int, wal: Wal) -> Gap | None:
    """Return what the primary lacks from a segment on; None if it has all of it."""
    return None if wal.has(needed) else Gap(needed, wal.oldest_segment - 1)


def gap_of(situation: Situation) -> Gap | None:
    """Return what the primary lacks of the WAL that the target needs; None if it has all of it.

    None also if WAL would not be enough, whatever an archive has.
    """
    target, wal = situation.facts.target, situation.facts.primary.wal
    if wal is None or target.control is None or target.changing is not None:
        return None
    running = situation.facts.running
    if target.server_pid is not None:
        if not isinstance(running, RunningServer) or running.replayed is None:
            return None
        return gap_from(running.replayed // wal.segment_bytes, wal)
    match situation.relation:
        case Follows():
            return gap_from(needed_segment(situation), wal)
        case Diverged():
            fork = fork_of(target.control, target.history, wal.history)
            return None if fork is None else gap_from(fork.lsn // wal.segment_bytes, wal)
    return None


def tried_names(gap: Gap, wal: Wal) -> tuple[str, ...]:
    """Return the files by which an archive is tried, in the order in which they are needed."""
    history, size = wal.history, wal.segment_bytes
    forks = [history.begin_of(timeline) // size for timeline in history.timelines[1:]]
    numbers = {gap.first, gap.last}
    numbers |= {n for fork in forks for n in (fork - 1, fork) if gap.first <= n <= gap.last}
    return tuple(name_of(number, wal) for number in sorted(numbers))


def spread_names(gap: Gap, wal: Wal) -> tuple[str, ...]:
    """Return further files by which an archive is tried, evenly spread over the gap.

    They cut it into PARTS, or fewer if that would be more than one of PARTS files: each is fetched
    twice, and a server finds a hole in a short gap soon. The first cuts the gap in two, the next
    two in four, and so on, as there may not be enough time for all.
    """
    tried, length = set(tried_names(gap, wal)), gap.last - gap.first
    cuts = [cut for step in (8, 4, 2, 1) for cut in range(step, PARTS, 2 * step)]
    cuts = cuts[: length // PARTS]
    names = (name_of(gap.first + length * cut // PARTS, wal) for cut in cuts)
    return tuple(name for name in dict.fromkeys(names) if name not in tried)


def name_of(segment: int, wal: Wal) -> str:
    """Return the name of the file in which a server looks for a segment first."""
    timeline = covering(segment, wal.history, wal.segment_bytes)
    return file_of_segment(timeline, segment, wal.segment_bytes)


def overlap_name(wal: Wal) -> str | None:
    """Return the primary's oldest WAL file; None if that is not full yet, so not archived."""
    is_full = (wal.oldest_segment + 1) * wal.segment_bytes <= wal.written
    return name_of(wal.oldest_segment, wal) if is_full else None


def from_archive(situation: Situation, gap: Gap) -> FromArchive | tuple[Rejection, ...]:
    """Return the archive that brings what the primary lacks, or why each of them does not."""
    if situation.is_delayed and situation.facts.archived_wal:
        return (
            Rejection(
                f"{situation.name} would not stream before it has replayed what is in the archive",
                detail="It replays with a delay (recovery_min_apply_delay).",
            ),
        )
    reasons: list[Rejection] = []
    for one in situation.facts.archived_wal:
        why = tuple(reject_archive(situation, one, gap))
        if not why:
            return _chosen(situation, one, gap)
        reasons += why
    return tuple(reasons)


def _chosen(situation: Situation, one: ArchivedWal, gap: Gap) -> FromArchive:
    wal = situation.wal
    files = gap.last - gap.first + 1
    return FromArchive(
        origin=one.origin,
        command=one.command,
        first=name_of(gap.first, wal),
        last=name_of(gap.last, wal),
        files=files,
        size_bytes=files * wal.segment_bytes,
        next_segment=gap.last + 1,
        timeline=covering(gap.last, wal.history, wal.segment_bytes),
        timeout_s=situation.facts.archive_s,
    )


def notes_on_source(situation: Situation, source: FromArchive) -> tuple[str, ...]:
    """Return the notes of a plan that relies on an archive."""
    size, come = pretty_size(source.size_bytes), f"from the archive, by {source.origin}"
    if source.files == 1:
        said = f"1 WAL file ({source.first}, {size}) comes {come}"
    else:
        said = f"{source.files} WAL files ({source.first} to {source.last}, {size}) come {come}"
    notes = [f"{said}; the primary has the WAL after that"]
    if source.origin is not Origin.OWN:
        notes.append(f"restore_command is set to {source.command} and stays set")
    copy = situation.facts.primary.copy_bytes
    if source.size_bytes > copy:
        notes.append(f"that is more WAL than a full copy would move ({pretty_size(copy)})")
    return tuple(notes)


def set_command(source: FromArchive | None) -> str | None:
    """Return the restore_command that the plan must set; None if the node's own stays."""
    return None if source is None or source.origin is Origin.OWN else source.command


def reject_unproven_over(situation: Situation, gap: Gap | None) -> list[Rejection]:
    """Return why the node's past is not proven to be the primary's, not even by an archive."""
    unproven = list(reject_unproven(situation))
    if gap is None or not unproven:
        return unproven
    one = _helpful(situation, gap)
    if one is None:
        return unproven
    if _proves(situation, one):
        return []
    if one.of_node is None or not one.of_node.is_same or _is_known(one.of_primary):
        return unproven
    name = name_of(situation.wal.oldest_segment, situation.wal)
    more = (
        f"The archive would prove it if it had {name} of the primary, which is not there yet "
        "(SELECT pg_switch_wal() on the primary has it archived if it is not full)."
    )
    return [
        replace(found, detail=" ".join(filter(None, (found.detail, more)))) for found in unproven
    ]


def _helpful(situation: Situation, gap: Gap) -> ArchivedWal | None:
    found = situation.facts.archived_wal
    return next((one for one in found if not any(reject_archive(situation, one, gap))), None)


def _is_known(alike: Likeness | None) -> bool:
    return alike is not None and alike.is_same is not None


def _proves(situation: Situation, one: ArchivedWal) -> bool:
    if one.of_node is None or one.of_primary is None:
        return False
    size, history = situation.wal.segment_bytes, situation.wal.history
    name = one.of_node.name
    begin = segment_of_file(name, size) * size
    point = point_to_compare(situation.facts)
    if point is None or one.of_node.upto < min(point.lsn, begin + size):
        return False
    is_enough = one.of_node.upto - begin >= LEAST_BYTES or begin <= history.begin_of(point.timeline)
    return bool(is_enough and one.of_node.is_same and one.of_primary.is_same)


def reject_archive(situation: Situation, one: ArchivedWal, gap: Gap) -> Iterator[Rejection]:
    """Report why an archive does not bring the WAL that the primary lacks; at most one reason."""
    name, wal = situation.name, situation.wal
    what = f"restore_command of {name}" if one.origin is Origin.OWN else f"{one.origin} on {name}"
    if one.problem is not None:
        yield Rejection(f"{what} cannot be used", detail=one.problem)
        return
    if one.archive is not None and one.origin is not Origin.OWN:  # Its own: plan/stray.py.
        for stray in strays(one.archive.histories, wal.history):
            yield Rejection(
                f"{what} returns {stray.file}, which is not the primary's",
                detail="A server that finds it there follows it, or does not start.",
            )
            return
    found = {} if one.trial is None else {file.name: file for file in one.trial.files}
    files = [(wanted, found.get(wanted)) for wanted in tried_names(gap, wal)]
    for wanted, file in (*files, *((file.name, file) for file in one.spread)):
        why = "it was not tried" if file is None else _odd(file, situation)
        if why is not None:
            yield Rejection(f"{what} did not bring {wanted}", detail=one_line(f"{why}."))
            return
    for alike, whose in ((one.of_node, name), (one.of_primary, "the primary")):
        if alike is not None and alike.is_same is False:
            yield Rejection(
                f"{alike.name} that {what} brings is not that of {whose}",
                detail=f"They differ before {lsn_text(alike.upto)}. Another server has archived "
                "its WAL under the same name.",
            )
            return


def _odd(file: FetchedWal, situation: Situation) -> str | None:
    return odd(file, wal_of_primary(situation))


def wal_of_primary(situation: Situation) -> WalOfPrimary:
    """Return what a WAL file must say of itself to be the primary's."""
    wal, primary = situation.wal, situation.facts.primary
    return WalOfPrimary(wal.history, wal.segment_bytes, primary.major, primary.system_identifier)


def odd(file: FetchedWal, of_primary: WalOfPrimary) -> str | None:
    """Return why a file is not the one that its name says; None if it is, as far as can be seen."""
    if file.head is None:
        return file.problem or "it delivered nothing"
    if file.size_bytes != of_primary.segment_bytes:
        return (
            f"what came has {file.size_bytes} bytes, and a WAL file of the primary "
            f"{of_primary.segment_bytes}"
        )
    head = read_head(bytes.fromhex(file.head))
    if head is None:
        return "what came is not a WAL file"
    if not head.is_of(of_primary.major):
        return f"what came was not written by PostgreSQL {of_primary.major}"
    if head.system_identifier != of_primary.system_identifier:
        return (
            f"what came is of another cluster: its system identifier is {head.system_identifier}, "
            f"the primary's is {of_primary.system_identifier}"
        )
    return _misplaced(file.name, head, of_primary.history, of_primary.segment_bytes)


def _misplaced(name: str, head: SegmentHead, history: History, size: int) -> str | None:
    """Return why a WAL file does not belong under its name.

    The first file of a timeline begins with a copy of the WAL before the fork
    (XLogInitNewTimeline), so its first page is of the timeline before, unless that ended there.
    """
    begins = Lsn(segment_of_file(name, size) * size)
    if head.segment_bytes != size:
        return f"what came has WAL segments of {head.segment_bytes} bytes"
    if head.address != begins:
        return f"what came begins at {lsn_text(head.address)}"
    expected = history.timeline_at(begins)
    if head.timeline != expected:
        return (
            f"what came was written on timeline {head.timeline}, and the primary was on timeline "
            f"{expected} there"
        )
    return None
