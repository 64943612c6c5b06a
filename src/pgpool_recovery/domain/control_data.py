"""What pg_controldata says of a data directory."""

import re
from dataclasses import dataclass

from pgpool_recovery.domain.error import Refused


@dataclass(frozen=True)
class ControlData:
    """The lines of pg_controldata that decisions rest on (src/bin/pg_controldata)."""

    system_identifier: str
    state: str
    timeline: int
    has_checksums: bool
    is_consistent: bool
    """No end of a base backup is still to be reached in recovery."""


def parse_control_data(text: str) -> ControlData:
    """Read the output of pg_controldata with LC_ALL=C.

    >>> parse_control_data(
    ...     "Database system identifier:           7301415926535897932\\n"
    ...     "Database cluster state:               in production\\n"
    ...     "Latest checkpoint's TimeLineID:       2\\n"
    ...     "Backup start location:                0/0\\n"
    ...     "Backup end location:                  0/0\\n"
    ...     "End-of-backup record required:        no\\n"
    ...     "Data page checksum version:           1\\n"
    ... ).state
    'in production'
    """
    lines = dict(re.findall(r"^([^:]+):\s+(.*?)\s*$", text, re.MULTILINE))
    try:
        return ControlData(
            system_identifier=lines["Database system identifier"],
            state=lines["Database cluster state"],
            timeline=int(lines["Latest checkpoint's TimeLineID"]),
            has_checksums=lines["Data page checksum version"] != "0",
            is_consistent=lines["Backup start location"] == "0/0"
            and lines["Backup end location"] == "0/0"
            and lines["End-of-backup record required"] == "no",
        )
    except (KeyError, ValueError) as error:
        raise Refused(
            "could not understand the output of pg_controldata",
            detail=f"The line that is missing or odd: {error}.",
        ) from error
