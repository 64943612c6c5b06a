"""Read from pg_controldata what the method incremental needs to know about a data directory."""

import re
from pathlib import Path

from pgpool_recovery.domain.control_data import ControlData, parse_control_data
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import record
from pgpool_recovery.host.program import run
from pgpool_recovery.host.stop import Stop

PATTERN = (
    r"(?m)^(Catalog version number|Database block size|Blocks per segment of large relation):"
    r"\s+([0-9]+)$"
)


@record
class ControlFile:
    """The control data, and the units in which the relation files are read.

    `block_bytes` is the size of a block, `segment_blocks` that of a segment of a large relation.
    """

    data: ControlData
    catalog_version: int
    block_bytes: int
    segment_blocks: int


def read_control_file(data_directory: Path, bin_directory: Path, stop: Stop) -> ControlFile:
    """Read the control file with the server's own program."""
    program = str(bin_directory / "pg_controldata")
    return parse_control_file(run([program, "-D", str(data_directory)], stop).check().output)


def parse_control_file(text: str) -> ControlFile:
    """Parse the output of pg_controldata in the C locale; raise Refused if a line is unusable."""
    lines = dict(re.findall(PATTERN, text))
    try:
        return ControlFile(
            data=parse_control_data(text),
            catalog_version=int(lines["Catalog version number"]),
            block_bytes=int(lines["Database block size"]),
            segment_blocks=int(lines["Blocks per segment of large relation"]),
        )
    except KeyError as error:
        raise Refused(
            "could not understand the output of pg_controldata",
            detail=f"This line is missing or malformed: {error}.",
        ) from error
