"""List what is in the pg_wal of a data directory, and compute digests of it."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from pgpool_recovery.agent.directory.history_file import history_files, read_history
from pgpool_recovery.agent.directory.local_wal import begins_at
from pgpool_recovery.agent.directory.swap import away
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.wal import History, segment_of_file
from pgpool_recovery.facts.own_wal import CONTROL, OwnWal, Part

WAL_FILE = re.compile(r"[0-9A-F]{24}(\.partial)?")
SUMMARY = re.compile(r"[0-9A-F]{40}\.summary")
COMPARABLE = re.compile(r"[0-9A-F]{24}|summaries/[0-9A-F]{40}\.summary")
READ_BYTES = 1 << 20
AT_ONCE = 4
"""How many files are read at the same time."""


def own_wal(directory: Path, segment_bytes: int) -> OwnWal:
    """Return the names of the files that matter to a server that starts there."""
    pg_wal = directory / "pg_wal"
    names = _names(pg_wal)
    histories, unreadable = list[History](), list[str]()
    for file, timeline in history_files(pg_wal) if names else ():
        try:
            histories.append(read_history(file, timeline))
        except (OSError, Refused):
            unreadable.append(file.name)
    return OwnWal(
        files=tuple(name for name in names if _is_wal(pg_wal / name, segment_bytes)),
        histories=tuple(histories),
        unreadable=tuple(unreadable),
        summaries=tuple(filter(SUMMARY.fullmatch, _names(pg_wal / "summaries"))),
    )


def _names(directory: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in directory.iterdir())
    except OSError:  # Missing or not readable: `observe` reports that for the data directory.
        return []


def _is_wal(file: Path, segment_bytes: int) -> bool:
    """Return whether it is a WAL file that a server would read, and not one for later use."""
    match = WAL_FILE.fullmatch(file.name)
    if match is None or match[1] is not None:
        return match is not None
    begin = segment_of_file(file.name, segment_bytes) * segment_bytes
    try:
        return begins_at(file, begin)
    except FileNotFoundError:  # A running server has recycled it in the meantime.
        return False


def digests(data_directory: Path, parts: Iterable[Part]) -> tuple[str | None, ...]:
    """Return the SHA-256 of parts of files, in hexadecimal; None for a file that does not exist.

    Raises Refused for a name that is not the control file, a WAL file or a WAL summary.
    """
    from concurrent.futures import ThreadPoolExecutor  # It imports logging.

    half = away(data_directory)
    pg_wal = (data_directory if half is None else half[0]) / "pg_wal"
    with ThreadPoolExecutor(AT_ONCE) as pool:  # hashlib releases the GIL.
        return tuple(pool.map(lambda part: _digest(pg_wal, part), parts))


def _digest(pg_wal: Path, part: Part) -> str | None:
    if part.name != CONTROL and COMPARABLE.fullmatch(part.name) is None:
        raise Refused(f'"{part.name}" is not a file that is compared')
    is_control = part.name == CONTROL
    path = pg_wal.parent / "global" / CONTROL if is_control else pg_wal / part.name
    digest, left = hashlib.sha256(), part.size_bytes
    try:
        with path.open("rb") as file:
            file.seek(part.offset)
            while left > 0 and (data := file.read(min(READ_BYTES, left))):
                digest.update(data)
                left -= len(data)
    except FileNotFoundError:
        return None
    return digest.hexdigest()
