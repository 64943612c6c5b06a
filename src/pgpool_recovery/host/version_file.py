"""Read PG_VERSION, which marks a data directory and has its major version."""

from pathlib import Path

from pgpool_recovery.files.text import read_text

VERSION_FILE = "PG_VERSION"


def read_major(data_directory: Path) -> int:
    """Return the major version; raise OSError without the file, ValueError for other contents.

    For releases up to 9.6 that is the first of two numbers.
    """
    return int(read_text(data_directory / VERSION_FILE).partition(".")[0])
