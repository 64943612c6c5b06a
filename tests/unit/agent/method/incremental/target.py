"""A stale data directory with two tablespaces, and the backup that brings it up to date."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pgpool_recovery.agent.method.guarded.guard import is_half_applied, read_base_marker
from pgpool_recovery.agent.method.guarded.marker import Marker, StaleDirectory
from pgpool_recovery.agent.method.guarded.tablespace import (
    linked_tablespaces,
    match_tablespaces,
)
from pgpool_recovery.agent.method.incremental.backup import Directory, IncrementalBackup
from pgpool_recovery.agent.method.relation_file import vouched_paths
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.facts import Base
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.backup_stream import BackupStart, SentTablespace
from tests.unit.agent.method.incremental.stream import (
    BLOCK_BYTES,
    DIRECTORY,
    SEGMENT_BLOCKS,
    ScriptedConnection,
    block,
    changed,
    messages,
)

VERSION = "PG_17_202406281"
REDO = Point(TimelineId(1), Lsn(0x3000028))
START = Point(TimelineId(1), Lsn(0x5000028))
LABEL = b"START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\nSTART TIMELINE: 1\n"
RAW_LABEL = LABEL + b"INCREMENTAL FROM LSN: 0/3000028\nINCREMENTAL FROM TLI: 1\n"
KEPT_OID, GONE_OID, NEW_OID = 16400, 16401, 16402

OLD_FILES = {
    "PG_VERSION": b"17\n",
    "backup_manifest": b"old",
    "postmaster.opts": b"old",
    "postgresql.conf": b"own",
    "conf.d/own.conf": b"own",
    "log/postgresql.log": b"own",
    "global/pg_control": b"old control",
    "global/1260": block("a") + block("b"),
    "base/5/16384": block("a") + block("b") + block("c"),
    "base/5/16385": block("a"),
    "base/5/16386": block("a"),
    "base/5/16384_vm": block("v"),
    "base/5/pg_internal.init": b"old",
    "base/6/1259": block("a"),
    "pg_xact/0000": b"old",
    "pg_xact/0001": b"old",
    "pg_wal/000000010000000000000003": b"wal",
    "pg_wal/summaries/x.summary": b"summary",
    "pg_wal/archive_status/x.done": b"",
    "pg_replslot/slot/state": b"old",
    "pg_stat_tmp/x": b"old",
}
OLD_SPACES = {
    f"kept/{VERSION}/5/16500": block("a") + block("b"),
    f"kept/{VERSION}/5/16501": block("a"),
    f"gone/{VERSION}/5/16600": block("a"),
}
ARCHIVES: dict[str, dict[str, bytes | None]] = {
    f"{KEPT_OID}.tar": {
        VERSION: DIRECTORY,
        f"{VERSION}/5": DIRECTORY,
        f"{VERSION}/5/INCREMENTAL.16500": changed({1: block("B")}, 2),
    },
    f"{NEW_OID}.tar": {
        VERSION: DIRECTORY,
        f"{VERSION}/5": DIRECTORY,
        f"{VERSION}/5/16700": block("N"),
    },
    "base.tar": {
        "backup_label": RAW_LABEL,
        "pg_tblspc": DIRECTORY,
        f"pg_tblspc/{KEPT_OID}": b"->/primary/kept",
        f"pg_tblspc/{NEW_OID}": b"->/primary/new",
        "pg_wal": DIRECTORY,
        "./pg_wal/archive_status": DIRECTORY,
        "./pg_wal/summaries": DIRECTORY,
        "pg_replslot": DIRECTORY,
        "pg_notify": DIRECTORY,
        "PG_VERSION": b"17\n",
        "postgresql.conf": b"the primary's",
        "conf.d": DIRECTORY,
        "conf.d/primary.conf": b"the primary's",
        "log": DIRECTORY,
        "log/postgresql.log": b"the primary's",
        "global": DIRECTORY,
        "global/INCREMENTAL.1260": changed({}, 2),
        "base": DIRECTORY,
        "base/5": DIRECTORY,
        "base/5/INCREMENTAL.16384": changed({0: block("A"), 3: block("D")}, 4),
        "base/5/16385": block("E") + block("F"),
        "base/5/16384_vm": block("V"),
        "base/7": DIRECTORY,
        "base/7/1259": block("G"),
        "pg_xact": DIRECTORY,
        "pg_xact/0001": b"new",
        "global/pg_control": b"new control",
    },
}
NEW_FILES = {
    "PG_VERSION": b"17\n",
    "backup_label": LABEL,
    "standby.signal": b"",
    "postgresql.conf": b"own",
    "conf.d/own.conf": b"own",
    "log/postgresql.log": b"own",
    "global/pg_control": b"new control",
    "global/1260": block("a") + block("b"),
    "base/5/16384": block("A") + block("b") + block("c") + block("D"),
    "base/5/16385": block("E") + block("F"),
    "base/5/16384_vm": block("V"),
    "base/7/1259": block("G"),
    "pg_xact/0001": b"new",
}
NEW_SPACES = {
    f"kept/{VERSION}/5/16500": block("a") + block("B"),
    f"gone/{VERSION}/5/16600": block("a"),
    f"new/{VERSION}/5/16700": block("N"),
}
STALE = StaleDirectory(
    system_identifier="7301415926535897932",
    version_directory=VERSION,
    block_bytes=BLOCK_BYTES,
    segment_blocks=SEGMENT_BLOCKS,
    has_checksums=False,
    base=Base(REDO, REDO),
)


class Target:
    """The directories of a target, and a backup that is applied to them."""

    def __init__(self, root: Path) -> None:
        self.data, self.spaces = root / "data", root / "spaces"
        _write(self.data, OLD_FILES)
        _write(self.spaces, OLD_SPACES)
        (self.data / "pg_tblspc").mkdir()
        for oid, name in ((KEPT_OID, "kept"), (GONE_OID, "gone")):
            (self.data / "pg_tblspc" / str(oid)).symlink_to(self.spaces / name)

    def begin(self, connection: ScriptedConnection, stop: Stop | None = None) -> IncrementalBackup:
        """Return a backup that has begun, as begin_backup would."""
        linked = linked_tablespaces(self.data)
        known = frozenset(vouched_paths(self.data, linked, VERSION))
        if is_half_applied(self.data):
            known &= read_base_marker(self.data).vouched
        sent = tuple(SentTablespace(oid, f"/primary/{oid}") for oid in (KEPT_OID, NEW_OID))
        return IncrementalBackup(
            connection,  # type: ignore[arg-type]
            BackupStart(START, sent),
            Directory(self.data, STALE, vouched=known),
            Marker(STALE, Point(TimelineId(1), Lsn(0)), known),
            match_tablespaces(linked, sent, {NEW_OID: str(self.spaces / "new")}, VERSION),
            stop or Stop(),
        )

    def apply(self, before_message: Callable[[int], None] = lambda _: None) -> IncrementalBackup:
        """Apply the backup."""
        backup = self.begin(ScriptedConnection(messages(ARCHIVES), before_message))
        backup.apply()
        return backup

    def links(self) -> dict[str, str]:
        """Return where the links point, relative to the directory that contains all targets."""
        links = (self.data / "pg_tblspc").iterdir()
        return {link.name: str(link.readlink().relative_to(self.spaces)) for link in links}

    def files(self) -> dict[str, bytes]:
        """Return all files of the data directory."""
        return _read(self.data)

    def space_files(self) -> dict[str, bytes]:
        """Return all files of the tablespaces."""
        return _read(self.spaces)


def sent(changes: dict[str, dict[str, bytes | None]]) -> Sequence[bytes]:
    """Return the messages of the backup with these members of its archives changed."""
    return messages({name: {**ARCHIVES[name], **changes.get(name, {})} for name in ARCHIVES})


def _write(directory: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)


def _read(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
