"""Write a backup manifest for a stale data directory (backup-manifest-format.html).

From it the server learns which files exist and since when they have not changed. It compares the
system identifier and the WAL ranges. Sizes, times and checksums of files do not affect any decision
(PrepareForIncrementalBackup, GetFileBackupMethod), so the manifest has no meaningful ones.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence

from pgpool_recovery.agent.method.incremental.stale_directory import UNKNOWN_END
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import History, Lsn, TimelineId, lsn_text
from pgpool_recovery.facts.facts import Base

FORMAT = 2


@record
class WalRange:
    """The part of a timeline's WAL that the files need to become consistent."""

    timeline: TimelineId
    start: Lsn
    end: Lsn


def wal_ranges(base: Base, history: History) -> tuple[WalRange, ...]:
    """Return the WAL between REDO and the end, both of which are points in the history.

    Since 17.12 the server refuses a range that goes past the point where it left the timeline
    itself, so there is one range for each timeline. An unknown end is left out: the only range is
    then empty and starts at REDO.
    """
    redo, end = base.redo, base.end
    if end.lsn == UNKNOWN_END:
        return (WalRange(redo.timeline, redo.lsn, redo.lsn),)
    timelines = history.timelines
    passed = timelines[timelines.index(redo.timeline) : timelines.index(end.timeline) + 1]
    return tuple(
        WalRange(
            timeline,
            start=redo.lsn if timeline == redo.timeline else history.begin_of(timeline),
            end=end.lsn if timeline == end.timeline else _left_at(timeline, history),
        )
        for timeline in passed
    )


def _left_at(timeline: TimelineId, history: History) -> Lsn:
    left = history.end_of(timeline)
    assert left is not None  # noqa: S101 - the end is on a later timeline
    return left


def manifest(system_identifier: str, needed: Sequence[WalRange], paths: Iterable[str]) -> bytes:
    """Return a manifest with these files, whose blocks may be kept if unchanged since REDO."""
    files = [{"Path": path, "Size": 0} for path in sorted(paths)]
    ranges = [
        {
            "Timeline": one.timeline,
            "Start-LSN": lsn_text(one.start),
            "End-LSN": lsn_text(one.end),
        }
        for one in needed
    ]
    lines = [
        f'{{ "PostgreSQL-Backup-Manifest-Version": {FORMAT},',
        f'"System-Identifier": {int(system_identifier)},',
        f'"Files": {_array(files)},',
        f'"WAL-Ranges": {_array(ranges)},',
    ]
    text = "\n".join(lines).encode() + b"\n"
    digest = hashlib.sha256(text).hexdigest()
    return text + f'"Manifest-Checksum": "{digest}"}}\n'.encode()


def _array(values: Sequence[object]) -> str:
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"
