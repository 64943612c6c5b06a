"""The manifest: the server's format, and nothing that it must not vouch for."""

import hashlib
import json

from pgpool_recovery.agent.incremental.manifest import manifest
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId

REDO = Point(TimelineId(2), Lsn(0x1_0000_0028))


def test_the_whole_text() -> None:
    text = manifest("7301415926535897932", REDO, Lsn(0x1_0000_0100), ["global/1260", "base/5/1"])
    read = json.loads(text)
    digest = read.pop("Manifest-Checksum")
    assert read == {
        "PostgreSQL-Backup-Manifest-Version": 2,
        "System-Identifier": 7301415926535897932,
        "Files": [{"Path": "base/5/1", "Size": 0}, {"Path": "global/1260", "Size": 0}],
        "WAL-Ranges": [{"Timeline": 2, "Start-LSN": "1/28", "End-LSN": "1/100"}],
    }
    lines = text.splitlines(keepends=True)
    assert digest == hashlib.sha256(b"".join(lines[:-1])).hexdigest(), "the last line is left out"
    assert digest.encode() in lines[-1]


def test_without_files_and_without_an_end_that_is_known() -> None:
    read = json.loads(manifest("1", REDO, None, []))
    assert read["Files"] == []
    assert read["WAL-Ranges"][0]["End-LSN"] == "1/28"


def test_an_end_before_redo_is_none() -> None:
    read = json.loads(manifest("1", REDO, Lsn(1), []))
    assert read["WAL-Ranges"][0]["End-LSN"] == "1/28"
