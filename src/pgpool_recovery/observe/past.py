"""A node's WAL is compared with the primary's own, byte for byte, by digests of both."""

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
from pgpool_recovery.talk.protocol import DigestWal

SUMMARIES = "summaries/"
SUMMARY_BYTES = 1 << 20
"""The server holds that much in memory for each; few summaries are longer."""
LONGEST_CHECKPOINT = 192
"""More bytes than the record has, with the head of a page in between."""


@record
class Pair:
    """A part of the node's WAL, and the files in which the primary may have it, best first.

    `offset` is where in these, when that is elsewhere.
    """

    own: Part
    others: tuple[str, ...]
    offset: int | None = None


AskDigests = Callable[[Sequence[Pair]], dict[Pair, bool | None]]


def compare_wal(
    connection: Connection, agent: Conversation, facts: Facts, *, timeout_s: float
) -> Compared | None:
    """Return what came of it; None where there is no position up to which they could be equal."""
    point, wal, own = point_to_compare(facts), facts.primary.wal, facts.target.own_wal
    if point is None or wal is None or point.timeline not in wal.history.timelines:
        return None

    def ask(pairs: Sequence[Pair]) -> dict[Pair, bool | None]:
        directory = facts.target.data.path
        asked = DigestWal(directory, tuple(pair.own for pair in pairs))
        found = agent.ask(asked, timeout_s=timeout_s)
        return {
            pair: None if digest is None else _is_equal(connection, pair, digest)
            for pair, digest in zip(pairs, found, strict=True)
        }

    return compared(ask, point, wal, own, checkpoint_of(facts))


def checkpoint_of(facts: Facts) -> Point | None:
    """Return the checkpoint in the control file, where the primary has to have the same.

    Not that of a server that runs, for it may make another one just now; and a base backup begins
    with another one than that of its control file.
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
    """Return what came of it, in one question and, where that told nothing, another one.

    WAL after the position proves nothing of what was replayed: a node that followed one primary
    and was led to another has that one's WAL from the begin of the segment on to which it had come
    (RequestXLogStreaming). Nobody but replay writes the checkpoint in the control file.
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
    """Return what both may have of the WAL up to the position."""
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
    """Return the node's files from there on that the primary has whole, if they are its own."""
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
    """Say whether all that both have is equal, and proves something.

    That is a few hundred bytes, or all that the timeline has up to there.
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

    That they differ is not known to mean that the WAL did, so it proves nothing.
    """
    pairs = [
        Pair(Part(name, 0, SUMMARY_BYTES), (name,))
        for name in (SUMMARIES + found for found in summaries_of(own, point))
    ]
    told = ask(pairs) if pairs else {}
    verdicts = [verdict for verdict in told.values() if verdict is not None]
    return True if verdicts and all(verdicts) else None


def _is_equal(connection: Connection, pair: Pair, digest: str) -> bool | None:
    """Say whether the primary has the same; None when it has none of the files."""
    for name in pair.others:
        offset = pair.own.offset if pair.offset is None else pair.offset
        size_bytes = pair.own.size_bytes
        row = connection.row("wal_digest", name=name, offset=offset, size_bytes=size_bytes)
        if row["digest"] is not None:
            return bool(row["digest"] == digest)
    return None
