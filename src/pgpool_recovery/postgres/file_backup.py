"""Bracket a copy of a server's files: from the start to the stop, what is read becomes a backup.

Pages may be read while the server writes them, half old and half new. The WAL since the start has
each of them whole, since full_page_writes is in force during a backup, whatever its setting
(do_pg_backup_start in src/backend/access/transam/xlog.c). So replay repairs them.
"""

from pgpool_recovery.domain.wal import Lsn, Point, TimelineId, parse_lsn
from pgpool_recovery.facts.blocks import BlockFormat, BlockSource, FileBackup
from pgpool_recovery.postgres.connection import Connection

RENAMED_IN = 15
"""pg_backup_start and pg_backup_stop had other names before, and an argument more."""


def begin_backup(connection: Connection, major: int, label: str) -> Lsn:
    """Begin a backup in this session; return where replay of what is read from now on begins."""
    query = "backup_start" if major >= RENAMED_IN else "backup_start_14"
    return parse_lsn(connection.row(query, label=label)["lsn"])


def end_backup(connection: Connection, major: int) -> str:
    """End the backup of this session; return its backup_label, which belongs into the copy."""
    query = "backup_stop" if major >= RENAMED_IN else "backup_stop_14"
    label: str = connection.row(query)["label"]
    return label


def start_file_backup(connection: Connection, label: str) -> FileBackup:
    """Begin a backup; the server ends it when the session ends, whatever happens to us."""
    files = connection.row("files")
    major = files["version"] // 10000
    lsn = begin_backup(connection, major, label)
    # Read after the start: its checkpoint is the one that replay begins with.
    timeline = TimelineId(connection.row("files")["timeline"])
    locations = {row["oid"]: row["location"] for row in connection.rows("tablespaces_in_place_too")}
    made = BlockFormat(
        system_identifier=files["system_identifier"],
        version_directory=f"PG_{major}_{files['catalog_version']}",
        block_bytes=files["block_bytes"],
        segment_blocks=files["segment_blocks"],
        has_checksums=files["has_checksums"],
    )
    source = BlockSource(files["data_directory"], tuple(locations), made)
    return FileBackup(Point(timeline, lsn), source, locations, major)


def stop_file_backup(connection: Connection, backup: FileBackup) -> str:
    """End the backup; return the contents of its backup_label."""
    return end_backup(connection, backup.major)
