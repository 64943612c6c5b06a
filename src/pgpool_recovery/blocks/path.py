"""Which files of a data directory are compared, and which paths a receiver accepts."""

import re

from pgpool_recovery.blocks.frame import MAX_PATH_BYTES, malformed
from pgpool_recovery.domain.data_directory import EMPTIED, LINKS, REPLACED
from pgpool_recovery.domain.sent_file import is_sent
from pgpool_recovery.files.text import bytes_of
from pgpool_recovery.host.version_file import VERSION_FILE

DIGITS = re.compile(r"[1-9][0-9]*")


def parts_of(path: str) -> tuple[str, ...]:
    """Return the names in a path from the wire; raise Undone unless it is a plain relative one.

    >>> parts_of("base/5/1259")
    ('base', '5', '1259')
    """
    parts = tuple(path.split("/"))
    if (
        len(bytes_of(path)) > MAX_PATH_BYTES
        or "\0" in path
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise malformed(f"{path[:MAX_PATH_BYTES]!r} is not the path of a file")
    return parts


def tablespace_of(parts: tuple[str, ...], *, is_whole: bool = False) -> int | None:
    """Return the OID of the tablespace that a path is in, None for the data directory itself.

    Raises Undone for what is never compared: the node's own files, unless the directory is a full
    copy (`is_whole`), and what belongs to one run of a server.

    >>> tablespace_of(("pg_tblspc", "16400", "PG_17_202406281", "5", "1259"))
    16400
    """
    top = parts[0]
    if not is_sent(parts):
        raise malformed(f"{'/'.join(parts)!r} is in no copy")
    if is_whole and top != LINKS and top not in EMPTIED and (len(parts) > 1 or top not in REPLACED):
        return None
    if parts == (VERSION_FILE,) or (top in REPLACED and len(parts) > 1):
        return None
    if top == LINKS and len(parts) > 3 and DIGITS.fullmatch(parts[1]):
        return int(parts[1])
    raise malformed(f"{'/'.join(parts)!r} is not compared")
