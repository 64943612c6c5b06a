"""What pg_controldata says of a data directory, as far as the method incremental rests on it."""

import re
from dataclasses import dataclass
from pathlib import Path

from pgpool_recovery.agent.program import Stop, run
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, parse_lsn

CONTROL_FILE = "global/pg_control"


@dataclass(frozen=True)
class ControlFile:
    """The lines that are needed, in PostgreSQL's words (src/bin/pg_controldata).

    `minimum_recovery` is None when there is none, as on a primary. `is_consistent`: no end of a
    base backup is still to be reached in recovery.
    """

    system_identifier: str
    catalog_version: int
    state: str
    redo: Point
    minimum_recovery: Point | None
    is_consistent: bool
    block_bytes: int
    segment_blocks: int
    has_checksums: bool


def read_control_file(data_directory: Path, bin_directory: Path, stop: Stop) -> ControlFile:
    """Read the control file with the server's own program."""
    program = str(bin_directory / "pg_controldata")
    return parse_control_file(run([program, "-D", str(data_directory)], stop).check().output)


def parse_control_file(text: str) -> ControlFile:
    """Read the output of pg_controldata with LC_ALL=C."""
    lines = dict(re.findall(r"^([^:]+):\s+(.*?)\s*$", text, re.MULTILINE))
    try:
        return ControlFile(
            system_identifier=lines["Database system identifier"],
            catalog_version=int(lines["Catalog version number"]),
            state=lines["Database cluster state"],
            redo=Point(
                TimelineId(int(lines["Latest checkpoint's TimeLineID"])),
                parse_lsn(lines["Latest checkpoint's REDO location"]),
            ),
            minimum_recovery=_minimum_recovery(lines),
            is_consistent=lines["Backup start location"] == "0/0"
            and lines["Backup end location"] == "0/0"
            and lines["End-of-backup record required"] == "no",
            block_bytes=int(lines["Database block size"]),
            segment_blocks=int(lines["Blocks per segment of large relation"]),
            has_checksums=lines["Data page checksum version"] != "0",
        )
    except (KeyError, ValueError) as error:
        raise Refused(
            "could not understand the output of pg_controldata",
            detail=f"The line that is missing or odd: {error}.",
        ) from error


def _minimum_recovery(lines: dict[str, str]) -> Point | None:
    lsn = parse_lsn(lines["Minimum recovery ending location"])
    timeline = TimelineId(int(lines["Min recovery ending loc's timeline"]))
    return None if lsn == Lsn(0) else Point(timeline, lsn)
