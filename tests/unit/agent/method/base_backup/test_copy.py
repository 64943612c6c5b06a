"""A full copy from a server that sends exactly what a major version sends, or almost that."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.method.base_backup.copy import copy_base_backup
from pgpool_recovery.domain.error import Cancelled, Refused, Undone
from pgpool_recovery.domain.event import Event, Moved
from pgpool_recovery.facts.step.place import Place, Places, TablespacePlace
from pgpool_recovery.facts.step.transfer import CopyBaseBackup
from pgpool_recovery.host import crc32c
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.backup_stream import StreamLimits
from tests.unit.agent.method.base_backup.fake_server import (
    ARCHIVES,
    PAGE,
    SPACE_OID,
    VERSION,
    FakeServer,
    Members,
    files_of,
    manifest,
    serving,
)

LIMITS = StreamLimits(connect_s=5, start_s=5, silence_s=5)
RECEIVER = """#!/bin/sh
for word; do case $word in --directory=*) wal=${word#*=};; esac; done
echo "$@" > "$wal/../../words"
touch "$wal/000000010000000000000005" "$wal/000000010000000000000006.partial"
exec sleep 60
"""
WAL_FILE = "000000010000000000000005"


class Target:
    """Where a copy goes, and a program in place of pg_receivewal."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data, self.space = root / "data.w/new", root / "space.w/new"
        self.bin = root / "bin"
        self.bin.mkdir()
        self.receives(RECEIVER)
        self.events: list[Event] = []

    def receives(self, program: str) -> None:
        (self.bin / "pg_receivewal").write_text(program)
        (self.bin / "pg_receivewal").chmod(0o755)

    def step(self, **changes: Any) -> CopyBaseBackup:
        space = self.root / "space"
        place = Place(
            str(space / VERSION), f"{space}.w", is_inside=False, new=f"{space}.w/new/{VERSION}"
        )
        values: dict[str, Any] = {
            "bin_directory": str(self.bin),
            "conninfo": {},
            "slot_name": "pgpool_node_1",
            "places": Places(
                Place(
                    str(self.root / "data"),
                    f"{self.root}/data.w",
                    is_inside=False,
                    new=str(self.data),
                ),
                None,
                (TablespacePlace(SPACE_OID, str(space), place),),
            ),
            "max_rate": None,
            "compression": None,
            "size_bytes": 10_000,
            "segment_bytes": 2**24,
        }
        return CopyBaseBackup(**{**values, **changes})

    def copy(self, server: FakeServer, stop: Stop | None = None, **changes: Any) -> None:
        conninfo = {"host": "127.0.0.1", "port": str(server.port), "user": "repl"}
        step = self.step(conninfo=conninfo, **changes)
        copy_base_backup(step, OwnLogin(), stop or Stop(), self.events.append, LIMITS)

    def files(self) -> dict[str, bytes]:
        """Return the files of the copy under the paths that a manifest has, without WAL."""
        roots = {"": self.data, f"pg_tblspc/{SPACE_OID}/": self.space}
        return {
            prefix + str(file.relative_to(root)): file.read_bytes()
            for prefix, root in roots.items()
            for file in root.rglob("*")
            if file.is_file() and "pg_wal" not in file.parts and "words" not in file.parts
        }


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def changed(archive: str, **files: bytes | None) -> dict[str, Members]:
    names = {name.replace("__", "/"): content for name, content in files.items()}
    return {**ARCHIVES, archive: {**ARCHIVES[archive], **names}}


@contextmanager
def as_an_agent() -> Iterator[None]:
    """Have the umask of an agent, which denies group and others everything."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("version", "compression"),
    [(140019, None), (150020, None), (150020, "zstd"), (170011, "zstd"), (190000, None)],
)
def test_copy_of_each_form(target: Target, version: int, compression: str | None) -> None:
    with as_an_agent(), serving(FakeServer(version)) as server:
        target.copy(server, compression=compression, workers=2 if compression else None)
    files = target.files()
    written = files.pop("backup_manifest")
    assert files == files_of(ARCHIVES)
    assert written == manifest(files_of(ARCHIVES))
    assert (target.data / f"pg_tblspc/{SPACE_OID}").readlink() == target.space
    assert stat.S_IMODE((target.data / "base/5/1259").stat().st_mode) == 0o640
    assert stat.S_IMODE((target.data / "base").stat().st_mode) == 0o750
    assert stat.S_IMODE(target.data.stat().st_mode) == 0o750
    assert [event for event in target.events if isinstance(event, Moved)]


def test_commands_of_both_grammars(target: Target, tmp_path: Path) -> None:
    with serving(FakeServer(140019)) as server:
        target.copy(server, max_rate="2M")
    old = "BASE_BACKUP LABEL 'pgpool_recovery' FAST NOWAIT MAX_RATE 2048 MANIFEST 'yes'"
    assert server.commands[-1] == f"{old} MANIFEST_CHECKSUMS 'CRC32C'"
    (tmp_path / "other").mkdir()
    other = Target(tmp_path / "other")
    with serving(FakeServer(170011)) as server:
        other.copy(server, max_rate="2M", compression="zstd", workers=2)
    assert server.commands[-1] == (
        "BASE_BACKUP (LABEL 'pgpool_recovery', CHECKPOINT 'fast', WAIT 'false', MANIFEST 'yes', "
        "MANIFEST_CHECKSUMS 'CRC32C', MAX_RATE 2048, COMPRESSION 'zstd', "
        "COMPRESSION_DETAIL 'level=1,workers=2')"
    )


def test_other_checksum_where_nothing_computes_crc32c(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crc32c, "is_available", lambda: False)
    with serving(FakeServer()) as server:
        target.copy(server)
    assert "MANIFEST_CHECKSUMS 'SHA256'" in server.commands[-1]
    assert b'"Checksum-Algorithm": "SHA256"' in (target.data / "backup_manifest").read_bytes()


def test_server_whose_library_has_no_threads(target: Target) -> None:
    with serving(FakeServer(refuses=lambda command: "workers=" in command)) as server:
        target.copy(server, compression="zstd", workers=2)
    assert server.commands[-1].endswith("COMPRESSION_DETAIL 'level=1')")


def test_wal_in_a_directory_elsewhere(target: Target) -> None:
    wal = target.root / "wal"
    places = target.step().places
    elsewhere = Places(
        places.data,
        Place(str(wal), f"{wal}.w", is_inside=False, new=f"{wal}.w/new"),
        places.tablespaces,
    )
    with serving(FakeServer()) as server:
        target.copy(server, places=elsewhere)
    assert (target.data / "pg_wal").readlink() == target.root / "wal.w/new"
    assert (target.root / "wal.w/new/archive_status" / f"{WAL_FILE}.done").exists()


def test_only_whole_segments_stay_and_count_as_archived(target: Target) -> None:
    with serving(FakeServer()) as server:
        target.copy(server)
    wal = target.data / "pg_wal"
    assert sorted(file.name for file in wal.iterdir()) == [WAL_FILE, "archive_status"]
    assert [file.name for file in (wal / "archive_status").iterdir()] == [f"{WAL_FILE}.done"]


@pytest.mark.parametrize("by_slot", [True, False])
def test_slot_of_the_stream(target: Target, *, by_slot: bool) -> None:
    with serving(FakeServer()) as server:
        target.copy(server, streams_by_slot=by_slot)
    words = (target.root / "data.w/words").read_text()
    assert ("--slot=pgpool_node_1" in words) is by_slot
    assert "--no-loop" in words


def test_receiver_that_ends_early_ends_the_copy(target: Target) -> None:
    target.receives("#!/bin/sh\necho 'pg_receivewal: error: no WAL for you' >&2\nexit 1\n")
    server = FakeServer(waits_after=10)  # It would be silent for longer than the copy waits.
    with serving(server), pytest.raises(Undone) as caught:
        target.copy(server)
    assert caught.value.message == "pg_receivewal exited with status 1"
    assert "no WAL for you" in (caught.value.detail or "")


def wrong_byte(content: bytes | None) -> bytes:
    assert content is not None
    return bytes([content[0] ^ 1]) + content[1:]


WRONG: dict[str, tuple[Mapping[str, Members], bytes | None, str]] = {
    "a wrong byte": (
        changed("base", base__5__1259=wrong_byte(ARCHIVES["base"]["base/5/1259"])),
        None,
        '"base/5/1259" did not arrive as it was sent',
    ),
    "a wrong byte in a tablespace": (
        changed(str(SPACE_OID), **{f"{VERSION}__5__16500": wrong_byte(PAGE * 2)}),
        None,
        f'"pg_tblspc/{SPACE_OID}/{VERSION}/5/16500" did not arrive as it was sent',
    ),
    "a file that is too short": (
        changed("base", base__5__1259=PAGE),
        None,
        '"base/5/1259" did not arrive as it was sent',
    ),
    "a file too many": (
        changed("base", base__5__9999=PAGE),
        None,
        '"base/5/9999" was sent but is not in the manifest of the base backup',
    ),
    "a file too few": (
        {**ARCHIVES, "base": {k: v for k, v in ARCHIVES["base"].items() if k != "PG_VERSION"}},
        None,
        '"PG_VERSION" is in the manifest of the base backup but was not sent',
    ),
    "a manifest with a wrong byte": (
        ARCHIVES,
        manifest(files_of(ARCHIVES)).replace(b"19:14:18", b"19:14:19"),
        "the manifest of the base backup is damaged",
    ),
    "a manifest that was cut off": (
        ARCHIVES,
        manifest(files_of(ARCHIVES))[:-5],
        "the manifest of the base backup is damaged",
    ),
    "a manifest without its end": (
        ARCHIVES,
        manifest(files_of(ARCHIVES)).rpartition(b'"Manifest')[0],
        "the manifest of the base backup is damaged",
    ),
    "a manifest that goes on": (
        ARCHIVES,
        manifest(files_of(ARCHIVES)) + b"{}\n",
        "the manifest of the base backup is damaged",
    ),
    "a manifest of another cluster": (
        ARCHIVES,
        manifest(files_of(ARCHIVES), system_identifier=1),
        "the manifest of the base backup is damaged",
    ),
    "a manifest of other WAL": (
        ARCHIVES,
        manifest(files_of(ARCHIVES), ranges=(("0/4000028", "0/5000100"),)),
        "the manifest of the base backup is damaged",
    ),
    "a manifest of too little WAL": (
        ARCHIVES,
        manifest(files_of(ARCHIVES), ranges=(("0/5000028", "0/5000099"),)),
        "the manifest of the base backup is damaged",
    ),
    "a manifest with another algorithm": (
        ARCHIVES,
        manifest(files_of(ARCHIVES), "SHA256"),
        '"pg_tblspc/16400/PG_17_202406281/5/16500" did not arrive as it was sent',
    ),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("version", [140019, 170011])
def test_what_is_not_as_the_manifest_says(target: Target, version: int, what: str) -> None:
    archives, text, message = WRONG[what]
    server = FakeServer(version, archives, text or manifest(files_of(ARCHIVES)))
    with serving(server), pytest.raises(Undone) as caught:
        target.copy(server)
    assert caught.value.message == message
    assert ("8192 bytes" in str(caught.value.detail)) is (what == "a file that is too short")
    assert not (target.data / "backup_manifest").exists()


def test_manifest_of_the_first_version_has_no_system_identifier(target: Target) -> None:
    text = manifest(files_of(ARCHIVES), version=1)
    with serving(FakeServer(150020, manifest=text)) as server:
        target.copy(server)
    assert (target.data / "backup_manifest").read_bytes() == text


def test_names_that_are_not_in_utf_8(target: Target) -> None:
    archives = changed("base", **{"a\udcff": b"x", 'b"\n': b"y"})
    with serving(FakeServer(archives=archives)) as server:
        target.copy(server)
    assert (target.data / "a\udcff").read_bytes() == b"x"


UNEXPECTED: dict[str, Members] = {
    "a path elsewhere": {"../x": b""},
    "a link elsewhere": {"base/5/x": b"->/etc/passwd"},
    "a link of an unknown tablespace": {"pg_tblspc/9": b"->/x"},
    "a file through the link of a tablespace": {f"pg_tblspc/{SPACE_OID}/x": b""},
    "a directory through that link": {f"pg_tblspc/{SPACE_OID}/x": None},
}


@pytest.mark.parametrize("what", UNEXPECTED)
def test_members_that_no_server_sends(target: Target, what: str) -> None:
    archives = {**ARCHIVES, "base": {**ARCHIVES["base"], **UNEXPECTED[what]}}
    with serving(FakeServer(archives=archives)) as server, pytest.raises(Undone):
        target.copy(server)
    assert not (target.root / "x").exists()


def test_tablespace_that_is_not_in_the_plan(target: Target) -> None:
    archives = {"16401": ARCHIVES[str(SPACE_OID)], **ARCHIVES}
    with serving(FakeServer(archives=archives)) as server, pytest.raises(Refused) as caught:
        target.copy(server)
    assert "16401" in (caught.value.detail or "")


@pytest.mark.parametrize("cuts_after", [0, 3, 20, 100, 700])
@pytest.mark.parametrize("version", [140019, 170011])
def test_connection_that_is_lost(target: Target, version: int, cuts_after: int) -> None:
    server = FakeServer(version, cuts_after=cuts_after)
    with serving(server), pytest.raises(Undone, match="the connection to the primary was lost"):
        target.copy(server)


def test_cancel(target: Target) -> None:
    stop = Stop()

    def asks(_: str) -> bool:
        stop.ask()
        return False

    with serving(FakeServer(refuses=asks)) as server, pytest.raises(Cancelled):
        target.copy(server, stop)


def test_file_that_cannot_be_written(target: Target) -> None:
    (target.data / "base/5/1259").mkdir(parents=True)
    with serving(FakeServer()) as server, pytest.raises(OSError, match="Is a directory") as caught:
        target.copy(server)
    assert caught.value.filename == str(target.data / "base/5/1259")


def test_pages_are_checked_when_that_is_wanted(target: Target) -> None:
    """The page is older than the backup, so that no WAL will replace it."""
    page = bytes(8) + b"x" * 8184
    archives = changed("base", base__5__1259=page * 2)
    settings = {**FakeServer().settings, "data_checksums": "on"}
    server = FakeServer(archives=archives, settings=settings)
    with serving(server), pytest.raises(Undone) as caught:
        target.copy(server, verifies_pages=True)
    assert caught.value.message == 'block 0 of "base/5/1259" came with a wrong checksum'
