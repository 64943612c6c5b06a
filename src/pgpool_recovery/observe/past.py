"""Compare a node's WAL with that of the primary, byte for byte, by digests of both."""

from collections.abc import Callable, Iterable, Sequence

from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Lsn, Point, segment_of_file
from pgpool_recovery.facts.facts import Facts, Wal
from pgpool_recovery.facts.own_wal import (
    LEAST_BYTES,
    MAX_COMPARED_BYTES,
    NEWEST_LAYOUT,
    Compared,
    OwnWal,
    Part,
    files_from,
    names_of,
    offset_in_wal,
    part_of_control,
    parts_before,
    parts_of_whole,
    segments_before,
    summaries_of,
)
from pgpool_recovery.plan.past import point_to_compare
from pgpool_recovery.postgres.connection import Connection
from pgpool_recovery.talk.conversation import Conversation
from pgpool_recovery.talk.request.directory import DigestWal

SUMMARIES = "summaries/"
SUMMARY_BYTES = 1 << 20
"""The server reads that much of each into memory; few summaries are longer."""
LONGEST_CHECKPOINT = 192
"""The record of a checkpoint is shorter than this, even with a page header inside it."""


@record
class Pair:
    """A part of the node's WAL, and the files in which the primary may have it, best first.

    `offset` is the position in these files, if it differs from that of the part.
    """

    own: Part
    others: tuple[str, ...]
    offset: int | None = None


AskDigests = Callable[[Sequence[Pair]], dict[Pair, bool | None]]


def compare_wal(
    connection: Connection, agent: Conversation, facts: Facts, *, timeout_s: float
) -> Compared | None:
    """Return the result; None if there is no position up to which the two could be equal."""
    point, wal, own = point_to_compare(facts), facts.primary.wal, facts.target.own_wal
    if point is None or wal is None or point.timeline not in wal.history.timelines:
        return None
    ask = _asking(connection, agent, facts, timeout_s)
    return compared(ask, point, wal, own, checkpoint_of(facts))


def compare_checkpoint(
    connection: Connection, agent: Conversation, facts: Facts, *, timeout_s: float
) -> bool | None:
    """Return whether the primary wrote the checkpoint in the control file of a base backup.

    None if that cannot be determined, for example because the primary no longer has that WAL.
    """
    control, wal = facts.target.control, facts.primary.wal
    if control is None or wal is None or facts.primary.major > NEWEST_LAYOUT:
        return None
    point = Point(control.timeline, control.checkpoint)
    is_there = wal.history.has(point) and point.lsn + LONGEST_CHECKPOINT <= wal.written
    pairs = _checkpoint(point, wal) if is_there else []
    told = _asking(connection, agent, facts, timeout_s)(pairs) if pairs else {}
    return next(iter(told.values()), None)


def _asking(
    connection: Connection, agent: Conversation, facts: Facts, timeout_s: float
) -> AskDigests:
    def ask(pairs: Sequence[Pair]) -> dict[Pair, bool | None]:
        directory = facts.target.data.path
        asked = DigestWal(directory, tuple(pair.own for pair in pairs))
        found = agent.ask(asked, timeout_s=timeout_s)
        return {
            pair: None if digest is None else _is_equal(connection, pair, digest)
            for pair, digest in zip(pairs, found, strict=True)
        }

    return ask


def checkpoint_of(facts: Facts) -> Point | None:
    """Return the checkpoint in the control file, if the primary must have the same one.

    None for a running server, which may be performing another one at this moment, and for a base
    backup, which does not begin with the checkpoint in its control file.
    """
    control, wal, target = facts.target.control, facts.primary.wal, facts.target
    is_settled = target.server_pid is None and target.resumable is None
    if control is None or wal is None or target.has_backup_label or not is_settled:
        return None
    point = Point(control.timeline, control.checkpoint)
    has = wal.history.has(point) and point.lsn + LONGEST_CHECKPOINT <= wal.written
    return point if has and facts.primary.major <= NEWEST_LAYOUT else None


def compared(
    ask: AskDigests, point: Point, wal: Wal, own: OwnWal, checkpoint: Point | None = None
) -> Compared:
    """Return the result of one request to the agent and, if it is not conclusive, of another one.

    WAL after the position proves nothing about what was replayed: a node that followed one primary
    and was then repointed to another one has the WAL of the second from the start of the segment
    that it had reached (RequestXLogStreaming). Only replay writes the checkpoint in the control
    file.
    """
    before, whole = _before(point, wal, own), _whole(point, wal, own)
    control = [] if checkpoint is None else _checkpoint(checkpoint, wal)
    told = ask([*before, *whole, *control])
    is_same = _verdict(point, wal, before, told)
    if any(told[pair] is False for pair in control):
        is_same = False
    if is_same is None:
        is_same = _by_summaries(ask, point, own)
    return Compared(point, is_same, _whole_files(whole, told))


def _before(point: Point, wal: Wal, own: OwnWal) -> list[Pair]:
    """Return the parts of the WAL up to the position that both may have."""
    size, pairs, files = wal.segment_bytes, list[Pair](), set(own.files)
    for segment in segments_before(point, size):
        names = names_of(segment, point.lsn, wal.history, size)
        mine = next((name for name in names if name in files), None)
        if mine is not None and wal.has(segment):
            parts = parts_before(point, size, mine, segment)
            pairs += [Pair(part, names) for part in parts]
    return pairs


def _checkpoint(point: Point, wal: Wal) -> list[Pair]:
    size = wal.segment_bytes
    segment, offset = point.lsn // size, offset_in_wal(point.lsn, size)
    if offset is None or not wal.has(segment):
        return []
    names = names_of(segment, Lsn(point.lsn + 1), wal.history, size)
    return [Pair(part_of_control(), names, offset)]


def _whole(point: Point, wal: Wal, own: OwnWal) -> list[Pair]:
    """Return the node's files from the position on of which the primary may have all bytes."""
    size = wal.segment_bytes
    names = [
        name
        for name in files_from(own, point, wal.history, size)
        if wal.has(segment_of_file(name, size))
        and (segment_of_file(name, size) + 1) * size <= wal.written
    ]
    most = max(1, MAX_COMPARED_BYTES // size)
    return [Pair(part, (name,)) for name in names[:most] for part in parts_of_whole(name, size)]


def _whole_files(pairs: Iterable[Pair], told: dict[Pair, bool | None]) -> tuple[str, ...]:
    verdicts = dict[str, bool]()
    for pair in pairs:
        verdicts[pair.own.name] = verdicts.get(pair.own.name, True) and told[pair] is True
    return tuple(name for name, is_equal in verdicts.items() if is_equal)


def _verdict(
    point: Point, wal: Wal, pairs: Sequence[Pair], told: dict[Pair, bool | None]
) -> bool | None:
    """Return whether everything that both have is equal; None if that is too little for a proof.

    LEAST_BYTES are enough, or all WAL of the timeline up to the position.
    """
    equal = [pair for pair in pairs if told[pair] is True]
    if any(told[pair] is False for pair in pairs):
        return False
    size = wal.segment_bytes
    begins = [segment_of_file(p.own.name, size) * size + p.own.offset for p in equal]
    is_from_its_begin = min(begins, default=point.lsn) <= wal.history.begin_of(point.timeline)
    is_enough = sum(pair.own.size_bytes for pair in equal) >= LEAST_BYTES
    return True if equal and (is_from_its_begin or is_enough) else None


def _by_summaries(ask: AskDigests, point: Point, own: OwnWal) -> bool | None:
    """Compare WAL summaries, which are kept much longer than WAL.

    A difference proves nothing: it is not known to mean that the WAL was different.
    """
    pairs = [
        Pair(Part(name, 0, SUMMARY_BYTES), (name,))
        for name in (SUMMARIES + found for found in summaries_of(own, point))
    ]
    told = ask(pairs) if pairs else {}
    verdicts = [verdict for verdict in told.values() if verdict is not None]
    return True if verdicts and all(verdicts) else None


def _is_equal(connection: Connection, pair: Pair, digest: str) -> bool | None:
    """Return whether the primary has the same bytes; None if it has none of the files."""
    for name in pair.others:
        offset = pair.own.offset if pair.offset is None else pair.offset
        size_bytes = pair.own.size_bytes
        row = connection.row("wal_digest", name=name, offset=offset, size_bytes=size_bytes)
        if row["digest"] is not None:
            return bool(row["digest"] == digest)
    return None
