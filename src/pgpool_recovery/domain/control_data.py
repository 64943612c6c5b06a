"""The output of pg_controldata, as values."""

import re

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, parse_lsn

SHUT_DOWN = "shut down"
SHUT_DOWN_IN_RECOVERY = "shut down in recovery"
IN_ARCHIVE_RECOVERY = "in archive recovery"


@record
class ControlData:
    """The lines of pg_controldata that decisions depend on (src/bin/pg_controldata).

    `checkpoint` is the position of the latest checkpoint record, and `redo` is where recovery would
    begin; both are on `timeline`. `minimum_end` is the position that recovery must reach before the
    data is consistent. It is None outside of recovery.
    """

    system_identifier: str
    state: str
    timeline: TimelineId
    checkpoint: Lsn
    redo: Lsn
    minimum_end: Point | None
    has_checksums: bool
    has_wal_log_hints: bool
    is_consistent: bool
    """False while recovery has yet to reach the end of a base backup."""

    @property
    def is_shut_down(self) -> bool:
        """Whether the server was shut down cleanly, so its WAL ends where pg_control says."""
        return self.state in (SHUT_DOWN, SHUT_DOWN_IN_RECOVERY)

    @property
    def newest_timeline(self) -> TimelineId:
        """The timeline that the data was last on: the checkpoint's, or one replayed since."""
        end = self.minimum_end
        return self.timeline if end is None else max(self.timeline, end.timeline)


def parse_control_data(text: str) -> ControlData:
    """Parse the output of pg_controldata with LC_ALL=C; Refused if a line is missing or invalid."""
    lines = dict(re.findall(r"^([^:]+):\s*(.*?)\s*$", text, re.MULTILINE))
    try:
        minimum_end = Point(
            TimelineId(int(lines["Min recovery ending loc's timeline"])),
            parse_lsn(lines["Minimum recovery ending location"]),
        )
        return ControlData(
            system_identifier=lines["Database system identifier"],
            state=lines["Database cluster state"],
            timeline=TimelineId(int(lines["Latest checkpoint's TimeLineID"])),
            checkpoint=parse_lsn(lines["Latest checkpoint location"]),
            redo=parse_lsn(lines["Latest checkpoint's REDO location"]),
            minimum_end=minimum_end if minimum_end.lsn else None,
            has_checksums=lines["Data page checksum version"] != "0",
            has_wal_log_hints=lines["wal_log_hints setting"] == "on",
            is_consistent=not parse_lsn(lines["Backup start location"])
            and not parse_lsn(lines["Backup end location"])
            and lines["End-of-backup record required"] == "no",
        )
    except (KeyError, ValueError, Refused) as error:
        raise Refused(
            "could not understand the output of pg_controldata",
            detail=f"A line is missing or invalid: {error}.",
        ) from error
