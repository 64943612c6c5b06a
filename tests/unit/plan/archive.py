"""What archives have returned, from the words of a case."""

import struct
from collections.abc import Iterator
from dataclasses import replace

from pgpool_recovery.domain.wal import (
    History,
    Lsn,
    Point,
    TimelineId,
    file_of_segment,
    segment_of_file,
)
from pgpool_recovery.domain.wal_page import HAS_LONG_HEADER, MAGICS
from pgpool_recovery.facts.archived_history import Archive, ArchivedHistory
from pgpool_recovery.facts.archived_wal import (
    ArchivedWal,
    FetchedWal,
    Likeness,
    Origin,
    WalTrial,
)
from pgpool_recovery.facts.facts import Facts, Wal
from pgpool_recovery.facts.own_wal import covering, last_segment
from pgpool_recovery.plan.from_archive import gap_of, overlap_name, spread_names, tried_names
from pgpool_recovery.plan.past import point_to_compare
from pgpool_recovery.plan.situation import Situation
from tests.unit.plan.situation import SYSTEM
from tests.unit.plan.words import ArchivedWords, OddWords, TriedWords

ORIGINS = {"its own": Origin.OWN, "pgbackrest": Origin.PGBACKREST, "settings": Origin.SETTINGS}
SAME = {"same": True, "different": False, "unknown": None}
LONGEST_S = 60.0


def with_archives(situation: Situation, words: tuple[TriedWords, ...]) -> Facts:
    """Return the facts of a situation, with what its archives have returned."""
    if not words:
        return situation.facts
    if gap_of(situation) is None:
        raise ValueError("no archive is tried if the primary has all WAL")
    tried = tuple(_tried(situation, one) for one in words)
    return replace(situation.facts, archived_wal=tried, archive_s=LONGEST_S)


def archived_history(words: ArchivedWords) -> ArchivedHistory:
    """Return what an archive has under the name of a history file."""
    ends = tuple(Point(left.timeline, left.left_at) for left in words.history)
    history = History(words.timeline, ends) if words.is_a_history else None
    return ArchivedHistory(words.timeline, history, words.reason if words.is_a_history else None)


def _tried(situation: Situation, words: TriedWords) -> ArchivedWal:
    one = ArchivedWal(ORIGINS[words.by], words.command, words.problem)
    if words.problem is not None:
        return one
    wal, gap = situation.wal, gap_of(situation)
    assert gap is not None
    point, overlap = point_to_compare(situation.facts), overlap_name(wal)
    if point is None:
        of_node = None
    else:
        number = last_segment(point, wal.segment_bytes)
        timeline = covering(number, wal.history, wal.segment_bytes)
        name = file_of_segment(timeline, number, wal.segment_bytes)
        of_node = Likeness(name, point.lsn, SAME[words.like_node])
    end = Lsn((wal.oldest_segment + 1) * wal.segment_bytes)
    first, more = tried_names(gap, wal), spread_names(gap, wal)
    trial, known = tuple(_files(wal, first, words)), {*first, *more}
    if not {words.lacks, None if words.odd is None else words.odd.file} - {None} <= known:
        raise ValueError(f"what is lacking or odd is not among the files that are tried: {known}")
    return replace(
        one,
        archive=Archive(tuple(map(archived_history, words.histories)), 0.1),
        trial=WalTrial(trial),
        spread=() if trial[-1].head is None else tuple(_files(wal, more, words)),
        of_node=of_node,
        of_primary=None if overlap is None else Likeness(overlap, end, SAME[words.like_primary]),
    )


def _files(wal: Wal, names: tuple[str, ...], words: TriedWords) -> Iterator[FetchedWal]:
    for name in names:
        if name == words.lacks:
            yield FetchedWal(name, None, problem=words.said)
            return
        is_odd = words.odd is not None and words.odd.file == name
        odd = words.odd if is_odd and words.odd is not None else OddWords(name)
        size = wal.segment_bytes if odd.size is None else odd.size
        yield FetchedWal(name, head(wal, odd).hex(), size)


def head(wal: Wal, odd: OddWords) -> bytes:
    """Return the first bytes of a WAL file; each word says how it differs from the primary's."""
    if not odd.is_wal:
        return b"<html>404 Not Found</html>".ljust(40)
    begins = Lsn(segment_of_file(odd.file, wal.segment_bytes) * wal.segment_bytes)
    timeline = wal.history.timeline_at(begins) if odd.timeline is None else odd.timeline
    address = begins if odd.begins is None else odd.begins
    return struct.pack(
        "<HHIQI4xQII",
        MAGICS[odd.major],
        HAS_LONG_HEADER,
        TimelineId(timeline),
        address,
        0,
        int(odd.system_identifier or SYSTEM),
        odd.segments_of or wal.segment_bytes,
        8192,
    )
