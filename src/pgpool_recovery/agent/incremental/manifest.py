"""A backup manifest for a stale data directory (backup-manifest-format.html).

The server takes from it which files there are and since when they have not changed. It compares
the system identifier; sizes, times and checksums of files decide nothing
(PrepareForIncrementalBackup, GetFileBackupMethod), so there are none that mean anything.
"""

import hashlib
import json
from collections.abc import Iterable

from pgpool_recovery.domain.wal import Lsn, Point, lsn_text

FORMAT = 2


def manifest(system_identifier: str, redo: Point, end: Lsn | None, paths: Iterable[str]) -> bytes:
    """Return a manifest with these files, of which blocks may be kept that are as old as `redo`.

    `end` is up to where the files need WAL, on the timeline of `redo` or a later one; None when
    nobody knows. The server refuses an end that is not before the start of its backup.
    """
    files = sorted(paths)
    needed = {
        "Timeline": redo.timeline,
        "Start-LSN": lsn_text(redo.lsn),
        "End-LSN": lsn_text(redo.lsn if end is None else max(end, redo.lsn)),
    }
    lines = [
        f'{{ "PostgreSQL-Backup-Manifest-Version": {FORMAT},',
        f'"System-Identifier": {int(system_identifier)},',
        '"Files": [',
        *_separated([{"Path": path, "Size": 0} for path in files]),
        "],",
        '"WAL-Ranges": [',
        json.dumps(needed),
        "],",
    ]
    text = "\n".join(lines).encode() + b"\n"
    digest = hashlib.sha256(text).hexdigest()
    return text + f'"Manifest-Checksum": "{digest}"}}\n'.encode()


def _separated(values: list[dict[str, object]]) -> list[str]:
    texts = [json.dumps(value) for value in values]
    return [f"{text}," for text in texts[:-1]] + texts[-1:]
