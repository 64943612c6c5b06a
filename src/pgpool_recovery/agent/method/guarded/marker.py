"""The marker of a directory that is being changed: it says, as JSON, what the directory was."""

import json

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record, replace
from pgpool_recovery.domain.wal import Point, TimelineId, lsn_text, parse_lsn
from pgpool_recovery.facts.facts import Base

FORMAT = 1
DELTA_FORMAT = 2
"""Of a directory that a delta writes: earlier builds refuse it, as they must."""


@record
class StaleDirectory:
    """What a directory consists of, and from where on it lacks what the primary has written.

    `version_directory` is the name of its directory in each tablespace. `base` is the point from
    which recovery starts, and the point up to which it has replayed.
    """

    system_identifier: str
    version_directory: str
    block_bytes: int
    segment_blocks: int
    has_checksums: bool
    base: Base

    def with_end(self, end: Point) -> "StaleDirectory":
        """Return the same directory with another end."""
        return replace(self, base=Base(self.base.redo, end))


@record
class Marker:
    """What stays true for a directory however often its change is interrupted.

    `began` is the start of the timeline of the primary that sent the first blocks. Only blocks of
    `vouched` files may be kept: a file that was created later may be incomplete.
    """

    stale: StaleDirectory
    began: Point
    vouched: frozenset[str]


@record
class DeltaMarker:
    """The marker of a directory that a delta writes: what it was does not matter, only whose."""

    system_identifier: str


def encode_marker(marker: Marker | DeltaMarker) -> str:
    """Return a marker as JSON."""
    if isinstance(marker, DeltaMarker):
        identifier = marker.system_identifier
        return json.dumps({"format": DELTA_FORMAT, "system_identifier": identifier})
    stale = marker.stale
    return json.dumps(
        {
            "format": FORMAT,
            "system_identifier": stale.system_identifier,
            "version_directory": stale.version_directory,
            "block_bytes": stale.block_bytes,
            "segment_blocks": stale.segment_blocks,
            "has_checksums": stale.has_checksums,
            "redo": _as_json(stale.base.redo),
            "end": _as_json(stale.base.end),
            "began": _as_json(marker.began),
            "vouched": sorted(marker.vouched),
        }
    )


def decode_marker(text: str) -> Marker | DeltaMarker:
    """Return the marker in a text; raise Refused when this version does not know its format."""
    try:
        values = json.loads(text)
        if values["format"] == DELTA_FORMAT:
            return DeltaMarker(str(values["system_identifier"]))
        if values["format"] != FORMAT:
            raise Refused(
                "the target was left half applied by another version of pgpool-recovery",
                hint="Make a full copy, or use that version.",
            )
        return Marker(
            stale=StaleDirectory(
                system_identifier=str(values["system_identifier"]),
                version_directory=str(values["version_directory"]),
                block_bytes=int(values["block_bytes"]),
                segment_blocks=int(values["segment_blocks"]),
                has_checksums=bool(values["has_checksums"]),
                base=Base(_point(values["redo"]), _point(values["end"])),
            ),
            began=_point(values["began"]),
            vouched=frozenset(map(str, values["vouched"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            "the marker of a half-applied data directory cannot be read",
            detail=f"{type(error).__name__}: {error}",
            hint="Make a full copy.",
        ) from error


def _as_json(point: Point) -> list[object]:
    return [point.timeline, lsn_text(point.lsn)]


def _point(value: list[object]) -> Point:
    timeline, lsn = value
    return Point(TimelineId(int(str(timeline))), parse_lsn(str(lsn)))
