"""Parse the lines of pgbackrest's output."""

import re

from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record

LINE = re.compile(r"(?:P\d\d)? *(?P<level>ERROR|WARN|INFO|DETAIL): (?P<text>.*)")
"""On standard error there is no process number."""
FILE = re.compile(
    r"restore file .*?(?P<kept> - exists and .*?)? \((?:.*, )?(?P<percent>\d+\.\d\d)%\)"
)
KEPT_ERROR_LINES = 20
PRIVATE = ("restore command begin", "restore command end")
"""Lines that only repeat the command's options or its success; a failure is reported otherwise."""


@record
class FileLine:
    """A file that is now as in the backup; with `was_equal` it already was.

    `part` is the fraction of all bytes that are done.
    """

    part: float
    was_equal: bool


def read_file_line(line: str) -> FileLine | None:
    """Return what a line reports about a file; None for any other line.

    >>> read_file_line("P01 DETAIL: restore file /d/base/1/2 - exists and matches backup "
    ...                "(bundle 1/8192, 8KB, 12.50%) checksum a1")
    FileLine(part=0.125, was_equal=True)
    >>> read_file_line("P01 DETAIL: restore file /d/base/1/3 (1GB, 50.00%) checksum a1")
    FileLine(part=0.5, was_equal=False)
    """
    found = LINE.match(line)
    if found is None or found["level"] != "DETAIL":
        return None
    file = FILE.match(found["text"])
    if file is None:
        return None
    return FileLine(part=float(file["percent"]) / 100, was_equal=file["kept"] is not None)


def read_told_line(line: str) -> str | None:
    """Return the text of a line that is meant for a person; None for any other line.

    >>> read_told_line("P00   INFO: restore size = 29.4MB, file total = 971")
    'restore size = 29.4MB, file total = 971'
    """
    found = LINE.match(line)
    if found is None or found["level"] not in ("INFO", "WARN"):
        return None
    return None if found["text"].startswith(PRIVATE) else found["text"]


def read_error(output: str) -> str | None:
    """Return the last error of an output, with the lines that belong to it; None if there is none.

    >>> read_error("P00  ERROR: [038]: unable to restore\\n            HINT: stop it\\n"
    ...            "P00   INFO: restore command end: aborted with exception [038]")
    '[038]: unable to restore\\nHINT: stop it'
    >>> read_error("ERROR: [037]: restore command requires option: stanza")
    '[037]: restore command requires option: stanza'
    """
    error: list[str] | None = None
    for line in lines_of(output):
        found = LINE.match(line)
        if found is not None and found["level"] == "ERROR":
            error = [found["text"]]
        elif found is None and error is not None and line.startswith(" "):
            error.append(line.strip())
    return None if error is None else "\n".join(error[:KEPT_ERROR_LINES])
