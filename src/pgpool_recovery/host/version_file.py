"""PG_VERSION, by which a directory is known as a data directory, and of which major version."""

from pathlib import Path

from pgpool_recovery.files.text import read_text

VERSION_FILE = "PG_VERSION"


def read_major(data_directory: Path) -> int:
    """Return the major version; raise OSError without the file, ValueError for other contents.

    Up to 9.6 it is the first of two numbers.
    """
    return int(read_text(data_directory / VERSION_FILE).partition(".")[0])
