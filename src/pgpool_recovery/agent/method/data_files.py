"""Where the files of a cluster's data are, whatever method changes them."""

from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.domain.data_directory import LINKS, REPLACED


def data_directories(data_directory: Path, *, major: int | None) -> Iterator[Path]:
    """Yield the outermost directories of the data, those of the tablespaces through their links.

    WAL and what belongs to one run of a server are not in them. `major`: a tablespace has only the
    directory of this version, and not what pg_upgrade has left beside it; None: of all versions.
    """
    for name in sorted(REPLACED):
        yield data_directory / name
    yield from sorted((data_directory / LINKS).glob(f"*/PG_{'*' if major is None else major}_*"))
